/** From what a person said about a login to what gets the tokens. */
import {
  ClientCredentialsProvider,
  CrossAppAccessProvider,
  DpopSession,
  PrivateKeyJwtProvider,
  requestJwtAuthorizationGrant,
} from "@modelcontextprotocol/client";
import type { AssertionCallback, FetchLike } from "@modelcontextprotocol/client";
import type { AuthorizingProvider } from "./authorizing-provider.ts";
import type { LoginStore } from "./login-store.ts";
import type { OAuthOptions } from "./oauth-options.ts";
import { StoredLogin } from "./stored-login.ts";

export interface ProviderPlace {
  readonly store: LoginStore;
  readonly serverUrl: URL;
  /** for requests to whoever vouches for the person: a whole WHATWG fetch */
  readonly realFetch: FetchLike;
}

/**
 * A person's login comes from the store and is renewed there; it asks nobody. Programs' tokens are kept
 * in memory: they are had again at any time.
 */
export function createProvider(options: OAuthOptions, place: ProviderPlace): AuthorizingProvider {
  switch (options.flow) {
    case "browser":
    case "device":
      return new StoredLogin(place.store, place.serverUrl, options);
    case "client-credentials": {
      const clientSecret = needed(options.clientSecret);
      return bind(new ClientCredentialsProvider({ ...toIdentity(options), clientSecret }), options);
    }
    case "private-key-jwt": {
      const { algorithm = "ES256" } = options;
      const privateKey = needed(options.privateKey);
      const identity = toIdentity(options);
      return bind(new PrivateKeyJwtProvider({ ...identity, privateKey, algorithm }), options);
    }
    case "id-jag":
      return bind(createVouched(options, place.realFetch), options);
  }
}

interface Identity {
  readonly clientId: string;
  readonly expectedIssuer: string;
  readonly clientName: string;
  readonly scope?: string;
}

function toIdentity({ clientId, expectedIssuer, scopes }: OAuthOptions): Identity {
  return {
    clientId: needed(clientId),
    expectedIssuer: needed(expectedIssuer),
    clientName: "LuminaGuard",
    ...(scopes !== undefined && { scope: scopes.join(" ") }),
  };
}

/** Enterprise-managed authorization (SEP-990), and workloads that bring a grant of their own (SEP-1933). */
function createVouched(options: OAuthOptions, fetchFn: FetchLike): CrossAppAccessProvider {
  const { clientSecret, assertion } = options;
  const provider = new CrossAppAccessProvider({
    ...toIdentity(options),
    fetchFn,
    clientSecret: clientSecret ?? "",
    assertion: assertion === undefined ? exchange(options) : () => assertion,
  });
  if (clientSecret !== undefined) return provider;
  const { clientId, expectedIssuer } = toIdentity(options);
  // a public client: the grant alone speaks for it
  provider.clientInformation = () => ({ client_id: clientId, issuer: expectedIssuer });
  return provider;
}

/** The person's ID token for a grant to this one server (RFC 8693). */
function exchange({ identityProvider }: OAuthOptions): AssertionCallback {
  const { tokenEndpoint, clientId, clientSecret, idToken } = needed(identityProvider);
  return async ({ authorizationServerUrl, resourceUrl, scope, fetchFn }) => {
    const { jwtAuthGrant } = await requestJwtAuthorizationGrant({
      ...{ tokenEndpoint, clientId, idToken, fetchFn },
      ...{ audience: authorizationServerUrl, resource: resourceUrl },
      ...(clientSecret !== undefined && { clientSecret }),
      ...(scope !== undefined && { scope }),
    });
    return jwtAuthGrant;
  };
}

/** Binds tokens to a key that lives as long as the provider (RFC 9449). */
function bind(provider: AuthorizingProvider, { dpop }: OAuthOptions): AuthorizingProvider {
  if (dpop !== true) return provider;
  let session: Promise<DpopSession> | undefined;
  return Object.assign(provider, { dpop: () => (session ??= DpopSession.create()) });
}

function needed<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("options are parsed before they are used");
  return value;
}
