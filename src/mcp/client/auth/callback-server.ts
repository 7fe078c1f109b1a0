/**
 * Where a browser comes back to after a login: a server on 127.0.0.1 (RFC 8252, section 7.3) that takes
 * one answer with the right `state` and is gone. Anything else on the host may ask it, too: what is not
 * that answer changes nothing.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createDeferred } from "../../../base/deferred.ts";
import { LuminaGuardError } from "../../../errors.ts";
import type { AuthorizationResponse } from "./authorizing-provider.ts";

export type CallbackAnswer =
  | { readonly kind: "code"; readonly response: AuthorizationResponse }
  /** the person, or the authorization server, said no: an error code of RFC 6749, section 4.1.2.1 */
  | { readonly kind: "refused"; readonly reason: string }
  /** not the answer that is waited for */
  | { readonly kind: "stray" };

export interface CallbackServer extends AsyncDisposable {
  readonly redirectUrl: string;
  /** 256 random bits that the answer must carry */
  readonly state: string;
  readonly answer: Promise<CallbackAnswer>;
}

const path = "/callback";
/** longest request line that is looked at, in `bytes` */
const targetBytesMax = 8192;

/** Listens on a port of its own, or on the given one. Raises HOST_LIMIT when that is taken. */
export async function openCallbackServer(port = 0): Promise<CallbackServer> {
  const state = randomBytes(32).toString("base64url");
  const answer = createDeferred<CallbackAnswer>();
  const server = createServer({ maxHeaderSize: 2 * targetBytesMax, requestTimeout: 10_000 });
  server.listen(port, "127.0.0.1");
  await once(server, "listening").catch((cause: unknown) => {
    throw new LuminaGuardError("HOST_LIMIT", `port ${port} of 127.0.0.1 cannot be listened on`, {
      hint: "end what uses it, or choose another auth.redirectPort",
      cause,
    });
  });
  const { port: bound } = server.address() as AddressInfo;
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const isForUs = request.method === "GET" && request.headers.host === `127.0.0.1:${bound}`;
    const found = isForUs ? parseCallback(request.url ?? "", state) : { kind: "stray" as const };
    sendPage(response, found);
    if (found.kind !== "stray") answer.resolve(found);
  });
  return {
    redirectUrl: `http://127.0.0.1:${bound}${path}`,
    state,
    answer: answer.promise,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeIdleConnections(); // the page that says "done" is still on its way
      await once(server, "close", { signal: AbortSignal.timeout(1000) }).catch(() => undefined);
      server.closeAllConnections();
    },
  };
}

/** What a request means. */
export function parseCallback(target: string, state: string): CallbackAnswer {
  const { state: given, code, error, iss } = readParameters(target) ?? {};
  if (given === undefined || !isSame(given, state)) return { kind: "stray" };
  if (error !== undefined) {
    return { kind: "refused", reason: /^[a-z_]{1,64}$/.test(error) ? error : "unknown" };
  }
  if (code === undefined || code === "") return { kind: "stray" };
  return { kind: "code", response: { code, ...(iss !== undefined && { iss }) } };
}

const names = ["state", "code", "error", "iss"] as const;
type Parameters = Partial<Record<(typeof names)[number], string>>;

/** The parameters of a request to the callback. One that comes twice is nobody's honest answer. */
function readParameters(target: string): Parameters | undefined {
  const base = "http://127.0.0.1";
  const isTarget = target.length <= targetBytesMax && target.startsWith("/");
  if (!isTarget || !URL.canParse(target, base)) return undefined;
  const { pathname, searchParams } = new URL(target, base);
  if (pathname !== path) return undefined;
  const found: Parameters = {};
  for (const name of names) {
    const [value, ...more] = searchParams.getAll(name);
    if (more.length > 0) return undefined;
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** In a time that does not tell how much of it was right. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

const pages = {
  code: [200, "Logged in", "You can close this page and go back to the terminal."],
  refused: [200, "Not logged in", "The login was refused. The terminal says more."],
  stray: [400, "Not expected", "This is not the answer to a login of LuminaGuard."],
} as const;

/** A page that loads nothing, sends nothing on, and is kept nowhere: its address holds the code. */
function sendPage(response: ServerResponse, { kind }: CallbackAnswer): void {
  const [status, title, text] = pages[kind];
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    connection: "close",
  });
  response.end(
    `<!doctype html><html lang="en"><title>${title}</title><h1>${title}</h1><p>${text}</p></html>\n`,
  );
}
