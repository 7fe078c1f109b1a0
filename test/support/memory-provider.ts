/** A login kept in memory, whose person says yes at once. */
import type {
  OAuthClientMetadata,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  DpopSession,
} from "@modelcontextprotocol/client";
import type {
  AuthorizationResponse,
  AuthorizingProvider,
  DatedTokens,
} from "../../src/mcp/client/auth/authorizing-provider.ts";

export class MemoryProvider implements AuthorizingProvider {
  readonly redirectUrl = "http://127.0.0.1:1/callback";
  readonly clientMetadata: OAuthClientMetadata;
  held: DatedTokens | undefined;
  client: StoredOAuthClientInformation | undefined;
  session: DpopSession | undefined;
  readonly redirects: URL[] = [];
  authorizationResponse?: () => Promise<AuthorizationResponse>;
  #verifier = "";
  #discovery: OAuthDiscoveryState | undefined;

  constructor(options: { isPersonThere?: boolean; clientMetadata?: Partial<OAuthClientMetadata> }) {
    this.clientMetadata = {
      redirect_uris: [this.redirectUrl],
      token_endpoint_auth_method: "none",
      ...options.clientMetadata,
    };
    if (options.isPersonThere === true) this.authorizationResponse = () => this.#sayYes();
  }

  async #sayYes(): Promise<AuthorizationResponse> {
    const response = await fetch(this.redirects.at(-1) ?? "", { redirect: "manual" });
    const { searchParams } = new URL(response.headers.get("location") ?? "");
    return { code: searchParams.get("code") ?? "", iss: searchParams.get("iss") ?? undefined };
  }

  dpop = (): DpopSession | undefined => this.session;
  tokens = (): DatedTokens | undefined => this.held;
  saveTokens = (tokens: DatedTokens): void => void (this.held = tokens);
  clientInformation = (): StoredOAuthClientInformation | undefined => this.client;
  saveClientInformation = (client: StoredOAuthClientInformation): void =>
    void (this.client = client);
  redirectToAuthorization = (url: URL): void => void this.redirects.push(url);
  saveCodeVerifier = (verifier: string): void => void (this.#verifier = verifier);
  codeVerifier = (): string => this.#verifier;
  discoveryState = (): OAuthDiscoveryState | undefined => this.#discovery;
  saveDiscoveryState = (state: OAuthDiscoveryState): void => void (this.#discovery = state);

  invalidateCredentials = (what: "all" | "client" | "tokens" | "verifier" | "discovery"): void => {
    if (what === "all" || what === "tokens") this.held = undefined;
    if (what === "all" || what === "client") this.client = undefined;
    if (what === "all" || what === "discovery") this.#discovery = undefined;
  };
}
