/** A login in the browser: authorization code with PKCE (RFC 7636), answered on loopback (RFC 8252). */
import { withDeadline } from "../../../base/deadline.ts";
import { createAuthError, createLoginRequired } from "./auth-error.ts";
import { authorize } from "./authorize.ts";
import type { AuthorizationResponse } from "./authorizing-provider.ts";
import { openCallbackServer } from "./callback-server.ts";
import type { CallbackServer } from "./callback-server.ts";
import { isAllowedAddress } from "./guarded-fetch.ts";
import type { LoginRequest } from "./login-request.ts";
import { StoredLogin } from "./stored-login.ts";

/**
 * Shows the person where to log in, waits for the browser, and keeps the tokens. Raises TIMEOUT,
 * MCP_AUTH_REQUIRED when the person or the server says no, the signal's reason, and what `authorize`
 * raises.
 */
export async function logInWithBrowser(request: LoginRequest): Promise<void> {
  const { store, serverUrl, serverName, oauth, realFetch, clock } = request;
  await using callback = await openCallbackServer(oauth.redirectPort);
  const login = new StoredLogin(store, serverUrl, oauth, {
    redirectUrl: callback.redirectUrl,
    state: callback.state,
    show: (url) => showAddress(url, request),
    answer: () => waitForAnswer(callback, request),
  });
  await authorize(login, {
    ...{ serverUrl, serverName, realFetch, clock },
    forceReauthorization: true,
    ...(oauth.scopes !== undefined && { scope: oauth.scopes.join(" ") }),
  });
}

async function showAddress(url: URL, request: LoginRequest): Promise<void> {
  const { serverUrl, serverName, face } = request;
  if (!isAllowedAddress(url, serverUrl)) {
    throw createAuthError("MCP_PROTOCOL", `${serverName}: its login page is not opened`, {
      hint: "its address is not https, or inside this host",
      details: { reason: "address" },
    });
  }
  face.say(`To log in to ${serverName}, open this address:\n\n  ${url.href}\n`);
  // whoever has no browser here copies the address
  await (async () => face.openBrowser?.(url))().catch(() => undefined);
}

async function waitForAnswer(
  callback: CallbackServer,
  { serverName, signal, timeoutMs = 300_000 }: LoginRequest,
): Promise<AuthorizationResponse> {
  const answer = await withDeadline(callback.answer, {
    ...{ timeoutMs, signal, what: `the login to ${serverName}` },
    hint: `luminaguard mcp login ${serverName}`,
  });
  if (answer.kind === "code") return answer.response;
  const reason = answer.kind === "refused" ? answer.reason : "unknown";
  throw createLoginRequired(serverName, `the login was refused (${reason})`, { reason });
}
