/**
 * A person's login to one MCP server, as the SDK wants it, over the store. It reads again when another
 * process wrote: a login on the command line is seen by a gateway that runs. Without a `visit` nobody
 * is there to ask, and it can only renew what it has.
 */
import type {
  DpopSession,
  OAuthClientInformationContext,
  OAuthClientMetadata,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
} from "@modelcontextprotocol/client";
import { createAuthError } from "./auth-error.ts";
import type {
  AuthorizationResponse,
  AuthorizingProvider,
  DatedTokens,
} from "./authorizing-provider.ts";
import type { LoginStore } from "./login-store.ts";
import type { OAuthOptions } from "./oauth-options.ts";
import { makeDpopKey, openDpopSession } from "./stored-dpop.ts";
import { emptyLogin } from "./vault.ts";
import type { Login } from "./vault.ts";

/** A person who is there: sees a page, and brings back an answer. */
export interface Visit {
  readonly redirectUrl: string;
  readonly state: string;
  readonly show: (url: URL) => void | Promise<void>;
  readonly answer: () => Promise<AuthorizationResponse>;
}

/** stands for the address of a login: there is none now, and none is opened */
const nowhere = "http://127.0.0.1/callback";

export class StoredLogin implements AuthorizingProvider {
  readonly redirectUrl: string;
  readonly clientMetadata: OAuthClientMetadata;
  readonly clientMetadataUrl?: string;
  readonly authorizationResponse?: () => Promise<AuthorizationResponse>;
  readonly saveClientInformation?: (
    client: StoredOAuthClientInformation,
    context?: OAuthClientInformationContext,
  ) => Promise<void>;
  readonly state?: () => string;
  readonly dpop?: () => Promise<DpopSession>;
  readonly #store: LoginStore;
  readonly #server: string;
  readonly #options: OAuthOptions;
  readonly #visit: Visit | undefined;
  #login: Login = emptyLogin;
  #stamp: string | undefined;
  #isDiscoveryOld = false;
  #verifier: string | undefined;
  #session: Promise<DpopSession> | undefined;

  constructor(store: LoginStore, server: URL, options: OAuthOptions, visit?: Visit) {
    this.#store = store;
    this.#server = server.href;
    this.#options = options;
    this.#visit = visit;
    this.redirectUrl = visit?.redirectUrl ?? nowhere;
    this.clientMetadata = describeClient(options, this.redirectUrl);
    if (options.clientMetadataUrl !== undefined) this.clientMetadataUrl = options.clientMetadataUrl;
    // a client that was registered beforehand is never registered again
    if (options.clientId === undefined) this.saveClientInformation = this.#saveClient.bind(this);
    if (options.dpop === true) this.dpop = () => (this.#session ??= this.#openSession());
    if (visit === undefined) return;
    this.authorizationResponse = visit.answer;
    this.state = () => visit.state;
  }

  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#store.exclusively(this.#server, work);
  }

  async tokens(context?: OAuthClientInformationContext): Promise<DatedTokens | undefined> {
    const login = await this.#read();
    return login.tokens[context?.issuer ?? login.issuer ?? ""];
  }

  async saveTokens(tokens: DatedTokens, context?: OAuthClientInformationContext): Promise<void> {
    const issuer = context?.issuer ?? tokens.issuer ?? "";
    await this.#change((login) => ({
      ...login,
      issuer,
      tokens: { ...login.tokens, [issuer]: tokens },
    }));
  }

  async clientInformation(
    context?: OAuthClientInformationContext,
  ): Promise<StoredOAuthClientInformation | undefined> {
    const { clientId, clientSecret, expectedIssuer } = this.#options;
    if (clientId === undefined) {
      const login = await this.#read();
      const client = login.clients[context?.issuer ?? login.issuer ?? ""];
      return this.#visit === undefined || hasRedirect(client, this.redirectUrl)
        ? client
        : undefined;
    }
    return {
      client_id: clientId,
      ...(clientSecret !== undefined && { client_secret: clientSecret }),
      ...(expectedIssuer !== undefined && { issuer: expectedIssuer }),
    };
  }

  async redirectToAuthorization(url: URL): Promise<void> {
    await this.#visit?.show(url);
  }

  /** Kept in memory: a login begins and ends in one process. */
  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }

  codeVerifier(): string {
    if (this.#verifier === undefined) throw new Error("a code is redeemed after it was asked for");
    return this.#verifier;
  }

  async discoveryState(): Promise<OAuthDiscoveryState | undefined> {
    return this.#isDiscoveryOld ? undefined : (await this.#read()).discovery;
  }

  /** Raises MCP_PROTOCOL for an authorization server that is not the expected one, or has no PKCE. */
  async saveDiscoveryState(state: OAuthDiscoveryState): Promise<void> {
    checkServer(state, this.#options);
    this.#isDiscoveryOld = false;
    const { discovery } = await this.#read();
    if (JSON.stringify(discovery) === JSON.stringify(state)) return;
    await this.#change((login) => ({ ...login, discovery: state }));
  }

  async invalidateCredentials(
    what: "all" | "client" | "tokens" | "verifier" | "discovery",
  ): Promise<void> {
    if (what === "discovery" || what === "all") this.#isDiscoveryOld = true;
    if (what === "verifier" || what === "all") this.#verifier = undefined;
    if (what === "discovery" || what === "verifier") return;
    const without = (name: "tokens" | "clients") => (login: Login) => ({
      ...login,
      [name]: Object.fromEntries(
        Object.entries(login[name]).filter(([issuer]) => issuer !== login.issuer),
      ),
    });
    if (what !== "client") await this.#change(without("tokens"));
    if (what !== "tokens") await this.#change(without("clients"));
  }

  async #saveClient(
    client: StoredOAuthClientInformation,
    context?: OAuthClientInformationContext,
  ): Promise<void> {
    const issuer = context?.issuer ?? client.issuer ?? "";
    await this.#change((login) => ({ ...login, clients: { ...login.clients, [issuer]: client } }));
  }

  async #openSession(): Promise<DpopSession> {
    const made = await makeDpopKey();
    const { dpop = made } = await this.#change((login) => ({ dpop: made, ...login }));
    return openDpopSession(dpop);
  }

  async #change(work: (login: Login) => Login): Promise<Login> {
    this.#login = await this.#store.change(this.#server, work);
    this.#stamp = this.#store.stamp();
    return this.#login;
  }

  async #read(): Promise<Login> {
    const stamp = this.#store.stamp();
    if (stamp !== this.#stamp) {
      this.#login = await this.#store.read(this.#server);
      this.#stamp = stamp;
    }
    return this.#login;
  }
}

function describeClient(options: OAuthOptions, redirectUrl: string): OAuthClientMetadata {
  const { scopes, clientSecret, flow } = options;
  const device = "urn:ietf:params:oauth:grant-type:device_code";
  return {
    client_name: "LuminaGuard",
    redirect_uris: [redirectUrl],
    grant_types: [flow === "device" ? device : "authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: clientSecret === undefined ? "none" : "client_secret_basic",
    application_type: "native",
    ...(scopes !== undefined && { scope: scopes.join(" ") }),
  };
}

/** Whether a client may be answered there; many servers compare the port, too. One that is no registration may. */
function hasRedirect(
  client: StoredOAuthClientInformation | undefined,
  redirectUrl: string,
): boolean {
  const redirects = client !== undefined && "redirect_uris" in client ? client.redirect_uris : [];
  return redirects.length === 0 || redirects.includes(redirectUrl);
}

function checkServer(state: OAuthDiscoveryState, { expectedIssuer, flow }: OAuthOptions): void {
  const metadata = state.authorizationServerMetadata;
  const issuer = metadata?.issuer ?? state.authorizationServerUrl;
  const strip = (url: string): string => url.replace(/\/$/, "");
  if (expectedIssuer !== undefined && strip(expectedIssuer) !== strip(issuer)) {
    throw createAuthError("MCP_PROTOCOL", "the server names another authorization server", {
      hint: "nothing was sent to it; if the server moved, change expectedIssuer",
      details: { reason: "issuer" },
    });
  }
  // MCP authorization, "Authorization Code Protection": no PKCE, no login
  const methods = metadata?.code_challenge_methods_supported;
  if (flow !== "browser" || metadata === undefined || methods?.includes("S256") === true) return;
  throw createAuthError("MCP_PROTOCOL", "the authorization server does not say that it has PKCE", {
    hint: "its operator must advertise code_challenge_methods_supported with S256",
    details: { reason: "pkce" },
  });
}
