/** LuminaGuard's MCP client as a library: names only. Start with `new ManagedClient` and `http`. */

export { ManagedClient } from "./client/managed-client.ts";
export type { ManagedClientOptions, ToolErrors, Twice } from "./client/client-options.ts";
export type { DialedServer, McpServer } from "./client/plan.ts";

// servers over HTTP
export { http, HttpServer } from "./client/http/http-server.ts";
export type { EndpointInput } from "./client/http/http-server.ts";
export type { HttpHooks, HttpOptions, HttpOptionsInput } from "./client/http/http-options.ts";
export type { TlsOptions } from "./client/tls/tls-options.ts";

// servers that are programs, or behind any stream
export { stdio } from "./client/stdio/stdio-dialer.ts";
export type { StdioServerOptions } from "./client/stdio/stdio-dialer.ts";
export { StreamTransport } from "./client/stream-transport.ts";

// authorization
export { createProvider } from "./client/auth/create-provider.ts";
export { parseOAuthOptions } from "./client/auth/oauth-options.ts";
export type { OAuthOptions } from "./client/auth/oauth-options.ts";
export { LoginStore } from "./client/auth/login-store.ts";
export { logIn, logOut, readLoginStatus } from "./client/auth/login-desk.ts";
export type { LoginStatus } from "./client/auth/login-desk.ts";
export { createBearerFetch } from "./client/auth/bearer-fetch.ts";
export { createOAuthFetch } from "./client/auth/oauth-fetch.ts";
export type { OAuthEvent, OAuthFetchOptions } from "./client/auth/oauth-fetch.ts";
export type {
  AuthorizationResponse,
  AuthorizingProvider,
} from "./client/auth/authorizing-provider.ts";

// how it stands, and what went wrong
export type {
  ConnectionSnapshot,
  ConnectionState,
  EndpointSnapshot,
  StateChange,
} from "./client/connection-state.ts";
export type { Delivery, FailureFacts } from "./client/delivery.ts";
export type { Subscription } from "./client/subscription.ts";

// metrics, and whatever else follows calls
export { renderExposition } from "../metrics/exposition.ts";
export { MetricsRegistry } from "../metrics/metrics-registry.ts";
export type { MetricSnapshot } from "../metrics/metrics-registry.ts";
export { countTokenRefreshes } from "./client/telemetry/client-metrics.ts";
export type { CallEnd, CallObserver, CallWatch } from "./client/call.ts";
