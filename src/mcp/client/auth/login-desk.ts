/** What a person can do about logins: log in, log out, look. */
import type { FetchLike } from "@modelcontextprotocol/client";
import type { Clock } from "../../../base/clock.ts";
import { LuminaGuardError } from "../../../errors.ts";
import { lifeLeftMs } from "./authorizing-provider.ts";
import { logInWithDevice } from "./device-login.ts";
import type { DeviceLoginRequest } from "./device-login.ts";
import { createGuardedFetch } from "./guarded-fetch.ts";
import type { LoginStore } from "./login-store.ts";
import { endpointOf } from "./metadata-endpoint.ts";
import { logInWithBrowser } from "./loopback-login.ts";
import type { Login } from "./vault.ts";

export interface LoginStatus {
  readonly isLoggedIn: boolean;
  /** authorization server of the latest login */
  readonly issuer?: string;
  /** scopes that were granted, if the server said */
  readonly scope?: string;
  /** how long the access token is still good, in `ms`; negative when it has ended */
  readonly lifeLeftMs?: number;
  /** whether it is renewed without a person */
  readonly isRenewable: boolean;
}

export interface LogoutResult {
  readonly wasLoggedIn: boolean;
  /** whether the authorization server ended the tokens; they are forgotten here in any case */
  readonly isRevoked: boolean;
}

/** Raises USAGE for a flow that needs no person, and what the flow's own login raises. */
export async function logIn(request: DeviceLoginRequest): Promise<void> {
  const { flow } = request.oauth;
  if (flow === "browser") return logInWithBrowser(request);
  if (flow === "device") return logInWithDevice(request);
  throw new LuminaGuardError("USAGE", `${request.serverName} needs no login (flow ${flow})`, {
    hint: `luminaguard mcp ping ${request.serverName}  tries it`,
  });
}

/** Without any secret. Raises STORE_FAILED. */
export async function readLoginStatus(
  store: LoginStore,
  serverUrl: URL,
  clock: Clock,
): Promise<LoginStatus> {
  const login = await store.read(serverUrl.href);
  const tokens = login.tokens[login.issuer ?? ""];
  if (tokens === undefined) return { isLoggedIn: false, isRenewable: false };
  const leftMs = lifeLeftMs(tokens, clock.now());
  return {
    isLoggedIn: true,
    isRenewable: tokens.refresh_token !== undefined,
    ...(login.issuer !== undefined && { issuer: login.issuer }),
    ...(tokens.scope !== undefined && { scope: tokens.scope }),
    ...(Number.isFinite(leftMs) && { lifeLeftMs: leftMs }),
  };
}

/** Revokes the tokens where the authorization server offers it (RFC 7009), then forgets the login. */
export async function logOut(
  store: LoginStore,
  serverUrl: URL,
  realFetch: FetchLike,
): Promise<LogoutResult> {
  return store.exclusively(serverUrl.href, async () => {
    const login = await store.read(serverUrl.href);
    const wasLoggedIn = Object.keys(login.tokens).length > 0;
    // a server that is away keeps nobody logged in here
    const isRevoked = await revoke(login, serverUrl, realFetch).catch(() => false);
    await store.change(serverUrl.href, () => undefined);
    return { wasLoggedIn, isRevoked };
  });
}

async function revoke(login: Login, serverUrl: URL, realFetch: FetchLike): Promise<boolean> {
  const issuer = login.issuer ?? "";
  const { discovery } = login;
  const metadata = discovery?.authorizationServerMetadata;
  const endpoint = endpointOf(metadata, "revocation_endpoint");
  const tokens = login.tokens[issuer];
  if (endpoint === undefined || tokens === undefined || metadata?.issuer !== issuer) return false;
  const client = login.clients[issuer];
  const { fetch } = createGuardedFetch(realFetch, serverUrl);
  // the refresh token first: with it most servers end the access token, too
  const all = [tokens.refresh_token, tokens.access_token].filter((each) => each !== undefined);
  const answers: Response[] = [];
  for (const token of all) {
    const body = new URLSearchParams({
      token,
      ...(client !== undefined && { client_id: client.client_id }),
      ...(client?.client_secret !== undefined && { client_secret: client.client_secret }),
    });
    answers.push(await fetch(endpoint, { method: "POST", body, redirect: "error" }));
  }
  return answers.every((answer) => answer.ok);
}
