/**
 * A real OAuth 2.1 authorization server on loopback, as strict as they come: PKCE, refresh tokens that
 * are good for one use, a used one that comes again ends the login, earlier access tokens end with it.
 */
import { createHash, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  calculateJwkThumbprint,
  decodeJwt,
  decodeProtectedHeader,
  EmbeddedJWK,
  jwtVerify,
} from "jose";

export interface OAuthServerOptions {
  /** life of an access token in seconds @default 3600 */
  readonly expiresIn?: number;
  /** what its clock is ahead of ours, in `ms` */
  readonly clockAheadMs?: number;
  /** the only scopes it grants, whatever is asked for */
  readonly grantable?: readonly string[];
  /** answers to polls of a device code, in order; then it is granted */
  readonly devicePolls?: readonly string[];
  /** changes its metadata */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** a token request waits for it */
  readonly gate?: () => Promise<unknown>;
}

export interface IssuedToken {
  readonly scope: string;
  readonly client: string;
  /** thumbprint of the key it is bound to (RFC 9449) */
  readonly jkt: string | undefined;
}

export class OAuthServer implements AsyncDisposable {
  readonly issuer: string;
  /** form of every token request, in order */
  readonly tokenRequests: URLSearchParams[] = [];
  readonly authorizeRequests: URL[] = [];
  readonly revoked: string[] = [];
  readonly #access = new Map<string, IssuedToken>();
  readonly #refresh = new Map<string, IssuedToken>();
  readonly #codes = new Map<
    string,
    { challenge: string; redirect: string; scope: string; client: string }
  >();
  readonly #clients = new Map<string, { secret?: string; redirects: readonly string[] }>();
  readonly #keys = new Map<string, KeyObject>();
  readonly #options: OAuthServerOptions;
  readonly #server: ReturnType<typeof createServer>;
  registrations = 0;
  devicePollTimes = 0;
  /** every request fails with it while it is set */
  outage: number | undefined;

  private constructor(server: ReturnType<typeof createServer>, options: OAuthServerOptions) {
    this.#server = server;
    this.#options = options;
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => void this.#answer(request, response));
  }

  static async start(options: OAuthServerOptions = {}): Promise<OAuthServer> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new OAuthServer(server, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** who may use an access token; undefined for one that is not, or no longer, good */
  look(token: string): IssuedToken | undefined {
    return this.#access.get(token);
  }

  /** Ends every access token; refresh tokens stay. */
  expireAll(): void {
    this.#access.clear();
  }

  register(id: string, redirects: readonly string[], secret?: string): void {
    this.#clients.set(id, { redirects, ...(secret !== undefined && { secret }) });
  }

  /** A client that signs who it is (RFC 7523). */
  registerKey(id: string, key: KeyObject): void {
    this.#keys.set(id, key);
  }

  /** Tokens as if somebody had logged in. */
  issue(token: IssuedToken): Record<string, string | number> {
    const access = secretOf("at");
    const refresh = secretOf("rt");
    this.#access.set(access, token);
    this.#refresh.set(refresh, token);
    return {
      access_token: access,
      token_type: token.jkt === undefined ? "Bearer" : "DPoP",
      expires_in: this.#options.expiresIn ?? 3600,
      refresh_token: refresh,
      scope: token.scope,
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.sendDate = false;
    response.setHeader(
      "date",
      new Date(Date.now() + (this.#options.clockAheadMs ?? 0)).toUTCString(),
    );
    const url = new URL(request.url ?? "/", this.issuer);
    const body = await readBody(request);
    if (this.outage !== undefined) return void response.writeHead(this.outage).end();
    const routes: Readonly<Record<string, () => unknown>> = {
      "/.well-known/oauth-authorization-server": () => this.#metadata(),
      "/register": () => this.#register(body),
      "/revoke": () => this.#revoke(new URLSearchParams(body)),
      "/device": () => ({
        ...{ device_code: secretOf("dc"), user_code: "WDJB-MJHT", interval: 1, expires_in: 60 },
        verification_uri: `${this.issuer}/activate`,
      }),
      "/token": () => this.#token(request, new URLSearchParams(body)),
    };
    if (url.pathname === "/authorize") {
      this.#authorize(url, response);
      return;
    }
    const route = routes[url.pathname];
    if (route === undefined) return void response.writeHead(404).end();
    const result = await Promise.resolve()
      .then(route)
      .catch((error: unknown) => {
        if (!(error instanceof Refusal)) throw error;
        return error;
      });
    const isRefusal = result instanceof Refusal;
    const json = isRefusal ? { error: result.message, error_description: body } : result;
    response.writeHead(isRefusal ? 400 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(json));
  }

  #metadata(): unknown {
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/authorize`,
      token_endpoint: `${this.issuer}/token`,
      registration_endpoint: `${this.issuer}/register`,
      revocation_endpoint: `${this.issuer}/revoke`,
      device_authorization_endpoint: `${this.issuer}/device`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
      token_endpoint_auth_methods_supported: ["none", "client_secret_basic", "private_key_jwt"],
      authorization_response_iss_parameter_supported: true,
      ...this.#options.metadata,
    };
  }

  #register(body: string): unknown {
    this.registrations += 1;
    const metadata = JSON.parse(body) as { redirect_uris: string[] };
    const id = `client-${this.registrations}`;
    this.register(id, metadata.redirect_uris);
    return { ...metadata, client_id: id, token_endpoint_auth_method: "none" };
  }

  #authorize(url: URL, response: ServerResponse): void {
    this.authorizeRequests.push(url);
    const asked = (name: string): string => url.searchParams.get(name) ?? "";
    const client = this.#clients.get(asked("client_id"));
    const isKnown = client?.redirects.includes(asked("redirect_uri")) === true;
    if (!isKnown || asked("code_challenge_method") !== "S256") {
      return void response.writeHead(400).end();
    }
    const code = secretOf("code");
    const [challenge, redirect] = [asked("code_challenge"), asked("redirect_uri")];
    this.#codes.set(code, {
      challenge,
      redirect,
      scope: asked("scope"),
      client: asked("client_id"),
    });
    const back = new URL(redirect);
    back.searchParams.set("code", code);
    back.searchParams.set("state", asked("state"));
    back.searchParams.set("iss", this.issuer);
    response.writeHead(302, { location: back.href }).end();
  }

  async #token(request: IncomingMessage, form: URLSearchParams): Promise<unknown> {
    this.tokenRequests.push(form);
    await this.#options.gate?.();
    const jkt = await verifyProof(request);
    const basic = Buffer.from(request.headers.authorization?.slice(6) ?? "", "base64").toString();
    const client = form.get("client_id") ?? basic.split(":")[0] ?? "";
    const grants: Readonly<Record<string, () => unknown>> = {
      authorization_code: () => this.#redeem(form, client, jkt),
      refresh_token: () => this.#rotate(form.get("refresh_token") ?? ""),
      client_credentials: () => this.#grantClient(form, basic, jkt),
      "urn:ietf:params:oauth:grant-type:jwt-bearer": () =>
        withoutRefresh(this.issue({ scope: form.get("scope") ?? "", client, jkt })),
      "urn:ietf:params:oauth:grant-type:token-exchange": () => ({
        issued_token_type: "urn:ietf:params:oauth:token-type:id-jag",
        ...{ access_token: secretOf("jag"), token_type: "N_A" },
      }),
      "urn:ietf:params:oauth:grant-type:device_code": () => this.#grantDevice(form, client, jkt),
    };
    return (grants[form.get("grant_type") ?? ""] ?? (() => refuse("unsupported_grant_type")))();
  }

  async #grantClient(
    form: URLSearchParams,
    basic: string,
    jkt: string | undefined,
  ): Promise<unknown> {
    const assertion = form.get("client_assertion");
    const [id = "", secret] = basic.split(":");
    const client = assertion === null ? id : (decodeJwt(assertion).sub ?? "");
    if (assertion !== null) {
      const key = this.#keys.get(client) ?? refuse("invalid_client");
      await jwtVerify(assertion, key, { issuer: client, audience: this.issuer });
    } else if (this.#clients.get(client)?.secret !== secret) refuse("invalid_client");
    return withoutRefresh(this.issue({ scope: form.get("scope") ?? "", client, jkt }));
  }

  #grantDevice(form: URLSearchParams, client: string, jkt: string | undefined): unknown {
    const answer = this.#options.devicePolls?.[this.devicePollTimes];
    this.devicePollTimes += 1;
    if (answer !== undefined) refuse(answer);
    return this.issue({ scope: form.get("scope") ?? "", client, jkt });
  }

  #redeem(form: URLSearchParams, client: string, jkt: string | undefined): unknown {
    const code = form.get("code") ?? "";
    const found = this.#codes.get(code);
    this.#codes.delete(code);
    const digest = createHash("sha256").update(form.get("code_verifier") ?? "");
    const isRight = found?.challenge === digest.digest("base64url") && found.client === client;
    if (!isRight || form.get("redirect_uri") !== found.redirect) return refuse("invalid_grant");
    const { grantable } = this.#options;
    const asked = found.scope.split(" ");
    const scope = asked.filter((each) => grantable?.includes(each) ?? true).join(" ");
    return this.issue({ scope, client, jkt });
  }

  /** One use each: a token that comes again ends the whole login (RFC 9700, section 4.14.2). */
  #rotate(refresh: string): unknown {
    const token = this.#refresh.get(refresh);
    if (token === undefined) {
      this.#refresh.clear();
      return refuse("invalid_grant");
    }
    this.#refresh.delete(refresh);
    this.#access.clear();
    return this.issue(token);
  }

  #revoke(form: URLSearchParams): unknown {
    const token = form.get("token") ?? "";
    this.revoked.push(token);
    this.#access.delete(token);
    this.#refresh.delete(token);
    return {};
  }
}

class Refusal extends Error {}

function refuse(code: string): never {
  throw new Refusal(code);
}

/** The key that a proof is signed with, checked as RFC 9449, section 4.3 says. */
export async function verifyProof(request: IncomingMessage): Promise<string | undefined> {
  const proof = request.headers["dpop"];
  if (typeof proof !== "string") return undefined;
  const { payload } = await jwtVerify(proof, EmbeddedJWK, { typ: "dpop+jwt" });
  const url = new URL(request.url ?? "/", `http://${request.headers.host ?? ""}`);
  if (payload["htm"] !== request.method || payload["htu"] !== url.origin + url.pathname) {
    return refuse("invalid_dpop_proof");
  }
  const { jwk } = decodeProtectedHeader(proof);
  return jwk === undefined ? refuse("invalid_dpop_proof") : calculateJwkThumbprint(jwk);
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Every secret begins with the same word, so that it is found wherever it should not be. */
export const canary = "CANARY";

function secretOf(kind: string): string {
  return `${canary}-${kind}-${randomBytes(12).toString("hex")}`;
}

function withoutRefresh(tokens: Record<string, string | number>): unknown {
  return Object.fromEntries(Object.entries(tokens).filter(([name]) => name !== "refresh_token"));
}
