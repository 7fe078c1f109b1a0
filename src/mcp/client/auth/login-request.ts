/** What a login needs besides the person. */
import type { FetchLike } from "@modelcontextprotocol/client";
import type { Clock } from "../../../base/clock.ts";
import type { LoginStore } from "./login-store.ts";
import type { OAuthOptions } from "./oauth-options.ts";

/** How a person hears of a login. */
export interface LoginFace {
  /** shows lines of text; addresses in them come from the server, percent-encoded */
  readonly say: (text: string) => void;
  /** best effort; absent where there is no browser */
  readonly openBrowser?: (url: URL) => void | Promise<void>;
}

export interface LoginRequest {
  readonly store: LoginStore;
  readonly serverUrl: URL;
  /** as a person names it on the command line */
  readonly serverName: string;
  readonly oauth: OAuthOptions;
  /** a whole WHATWG fetch */
  readonly realFetch: FetchLike;
  readonly face: LoginFace;
  /** `ms` since 1970 */
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** longest wait for the person in `ms`
   * @default 300_000 */
  readonly timeoutMs?: number;
}
