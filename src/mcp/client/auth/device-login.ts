/** A login on another device, for hosts without a browser (RFC 8628). */
import { setTimeout as sleep } from "node:timers/promises";
import {
  discoverOAuthServerInfo,
  registerClient,
  resolveClientMetadata,
  selectClientAuthMethod,
} from "@modelcontextprotocol/client";
import type { FetchLike, OAuthServerInfo, OAuthTokens } from "@modelcontextprotocol/client";
import * as v from "valibot";
import { escapeText } from "../../../base/escape-text.ts";
import { LuminaGuardError } from "../../../errors.ts";
import { createAuthError, createLoginRequired, toAuthError } from "./auth-error.ts";
import { dateTokens } from "./authorizing-provider.ts";
import { createGuardedFetch, isAllowedAddress } from "./guarded-fetch.ts";
import type { LoginRequest } from "./login-request.ts";
import { endpointOf } from "./metadata-endpoint.ts";
import { StoredLogin } from "./stored-login.ts";

export interface DeviceLoginRequest extends LoginRequest {
  /** @default a timer */
  readonly wait?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code";
/** RFC 8628, section 3.2: where the server names no interval */
const intervalDefaultMs = 5000;
/** RFC 8628, section 3.5: what `slow_down`, or no answer, adds */
const slowDownMs = 5000;

const deviceAnswer = v.looseObject({
  device_code: v.pipe(v.string(), v.nonEmpty()),
  user_code: v.pipe(v.string(), v.nonEmpty(), v.maxLength(64)),
  verification_uri: v.pipe(v.string(), v.url()),
  verification_uri_complete: v.optional(v.pipe(v.string(), v.url())),
  expires_in: v.pipe(v.number(), v.minValue(1)),
  interval: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(300))),
});
const tokenAnswer = v.looseObject({
  access_token: v.pipe(v.string(), v.nonEmpty()),
  token_type: v.string(),
  expires_in: v.optional(v.number()),
  refresh_token: v.optional(v.string()),
  scope: v.optional(v.string()),
});

/**
 * Says where to go and which code to enter, asks until the person did, and keeps the tokens. Raises
 * TIMEOUT when the code ends first, MCP_AUTH_REQUIRED when the person says no, the signal's reason.
 */
export async function logInWithDevice(request: DeviceLoginRequest): Promise<void> {
  const { realFetch, serverUrl, serverName, signal } = request;
  const guarded = createGuardedFetch(realFetch, serverUrl);
  const login = new StoredLogin(request.store, serverUrl, request.oauth);
  try {
    const place = await findPlace(login, request, guarded.fetch);
    const asked = parse(
      deviceAnswer,
      await post(place, place.deviceEndpoint, {
        ...(request.oauth.scopes !== undefined && { scope: request.oauth.scopes.join(" ") }),
      }),
    );
    showCode(asked, request);
    const tokens = await poll(place, asked, request);
    const dated = dateTokens(tokens, request.clock.now(), guarded.lastAnswer().dateMs);
    await login.saveTokens({ ...dated, issuer: place.issuer }, { issuer: place.issuer });
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    throw toAuthError(error, serverName);
  }
}

/** An authorization server, and how we ask it. */
interface Place {
  readonly issuer: string;
  readonly deviceEndpoint: string;
  readonly tokenEndpoint: string;
  readonly fetch: FetchLike;
  /** of every request: who asks, and for which server (RFC 8707) */
  readonly form: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly login: StoredLogin;
}

async function findPlace(
  login: StoredLogin,
  { serverUrl, serverName }: DeviceLoginRequest,
  fetchFn: FetchLike,
): Promise<Place> {
  const info = await discoverOAuthServerInfo(serverUrl, { fetchFn });
  await login.saveDiscoveryState(info);
  const metadata = info.authorizationServerMetadata;
  const deviceEndpoint = endpointOf(metadata, "device_authorization_endpoint");
  if (metadata === undefined || deviceEndpoint === undefined) {
    const message = `${serverName}: its authorization server has no login on another device`;
    throw createAuthError("MCP_AUTH_REQUIRED", message, {
      hint: `luminaguard mcp login ${serverName}  with flow "browser"`,
    });
  }
  const { issuer } = metadata;
  const client = await findClient(login, info, issuer, fetchFn);
  const methods = metadata.token_endpoint_auth_methods_supported ?? [];
  const isBasic = selectClientAuthMethod(client, methods) === "client_secret_basic";
  const basic = [client.client_id, client.client_secret ?? ""].map(encodeURIComponent).join(":");
  const secret = client.client_secret === undefined ? {} : { client_secret: client.client_secret };
  const resource = info.resourceMetadata?.resource;
  return {
    ...{ issuer, deviceEndpoint, tokenEndpoint: metadata.token_endpoint, fetch: fetchFn, login },
    headers: isBasic ? { authorization: `Basic ${Buffer.from(basic).toString("base64")}` } : {},
    form: {
      client_id: client.client_id,
      ...(!isBasic && secret),
      ...(resource !== undefined && { resource }),
    },
  };
}

interface Client {
  readonly client_id: string;
  readonly client_secret?: string | undefined;
}

/** Registered beforehand, known from an earlier login, or registered now (RFC 7591). */
async function findClient(
  login: StoredLogin,
  { authorizationServerUrl, authorizationServerMetadata: metadata }: OAuthServerInfo,
  issuer: string,
  fetchFn: FetchLike,
): Promise<Client> {
  const known = await login.clientInformation({ issuer });
  if (known !== undefined) return known;
  const { clientMetadataUrl } = login;
  const knowsDocuments = metadata?.client_id_metadata_document_supported === true;
  if (knowsDocuments && clientMetadataUrl !== undefined) return { client_id: clientMetadataUrl };
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- servers without client documents have nothing else
  const registered = await registerClient(authorizationServerUrl, {
    ...(metadata !== undefined && { metadata }),
    clientMetadata: resolveClientMetadata(login),
    fetchFn,
  });
  await login.saveClientInformation?.({ ...registered, issuer }, { issuer });
  return registered;
}

function showCode(
  asked: v.InferOutput<typeof deviceAnswer>,
  { face, serverName, serverUrl }: DeviceLoginRequest,
): void {
  const url = new URL(asked.verification_uri);
  if (!isAllowedAddress(url, serverUrl)) {
    throw createAuthError("MCP_PROTOCOL", `${serverName}: its login page is not shown`, {
      hint: "its address is not https, or inside this host",
      details: { reason: "address" },
    });
  }
  const code = escapeText(asked.user_code);
  face.say(`To log in to ${serverName}, open ${url.href} and enter the code\n\n  ${code}\n`);
}

async function poll(
  place: Place,
  asked: v.InferOutput<typeof deviceAnswer>,
  request: DeviceLoginRequest,
): Promise<OAuthTokens> {
  const { serverName, signal, clock, timeoutMs = 300_000, wait = waitFor } = request;
  const endsAt = clock.now() + Math.min(asked.expires_in * 1000, timeoutMs);
  let intervalMs = asked.interval === undefined ? intervalDefaultMs : asked.interval * 1000;
  for (;;) {
    await wait(intervalMs, signal);
    signal?.throwIfAborted();
    if (clock.now() >= endsAt) throw createTimeout(serverName);
    const answer = await post(place, place.tokenEndpoint, {
      grant_type: deviceGrant,
      device_code: asked.device_code,
    }).catch((error: unknown) => {
      if (error instanceof LuminaGuardError) throw error;
      return { error: "slow_down" }; // RFC 8628, section 3.5: no answer is a reason to ask less often
    });
    const reason = errorOf(answer);
    if (reason === undefined) return parse(tokenAnswer, answer);
    if (reason === "expired_token") throw createTimeout(serverName);
    if (reason === "slow_down") intervalMs += slowDownMs;
    else if (reason !== "authorization_pending") {
      throw createLoginRequired(serverName, `the login was refused (${reason})`, { reason });
    }
  }
}

async function post(
  place: Place,
  endpoint: string,
  form: Readonly<Record<string, string>>,
): Promise<unknown> {
  const session = await place.login.dpop?.();
  const isToken = endpoint === place.tokenEndpoint;
  const send = async (): Promise<Response> => {
    const proof = isToken ? await session?.buildProof({ htm: "POST", htu: endpoint }) : undefined;
    const headers = { ...place.headers, ...(proof !== undefined && { dpop: proof }) };
    const body = new URLSearchParams({ ...place.form, ...form });
    return place.fetch(endpoint, { method: "POST", headers, body, redirect: "error" });
  };
  let response = await send();
  let answer: unknown = await response.json();
  session?.observeNonce(response, endpoint);
  if (errorOf(answer) === "use_dpop_nonce") {
    response = await send(); // RFC 9449, section 8
    answer = await response.json();
  }
  if (isToken || errorOf(answer) === undefined) return answer;
  const reason = errorOf(answer);
  throw createAuthError("MCP_AUTH_REQUIRED", `the authorization server says no (${reason})`, {
    hint: "check auth.clientId and auth.scopes",
    details: { reason },
  });
}

/** The error code of an answer (RFC 6749, section 5.2), without what else it says. */
function errorOf(answer: unknown): string | undefined {
  if (typeof answer !== "object" || answer === null || !("error" in answer)) return undefined;
  const { error } = answer;
  return typeof error === "string" && /^[a-z_]{1,64}$/.test(error) ? error : "unknown";
}

function parse<T>(schema: v.GenericSchema<unknown, T>, answer: unknown): T {
  const result = v.safeParse(schema, answer);
  if (result.success) return result.output;
  throw createAuthError("MCP_PROTOCOL", "the authorization server's answer cannot be used", {
    hint: "its operator may say why",
  });
}

function createTimeout(serverName: string): LuminaGuardError {
  return new LuminaGuardError("TIMEOUT", `the code to log in to ${serverName} has ended`, {
    hint: `luminaguard mcp login ${serverName}`,
  });
}

async function waitFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal });
}
