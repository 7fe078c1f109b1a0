/**
 * Connects over HTTP: Streamable HTTP first, in whichever era the server speaks; where it knows
 * neither, the HTTP+SSE of 2024-11-05 (its section "Backwards Compatibility").
 */
import { SdkHttpError } from "@modelcontextprotocol/client";
import type { FetchLike } from "@modelcontextprotocol/client";
import type { Dialed, DialOptions, Dialer } from "../dialer.ts";
import { nameOfUrl } from "../delivery.ts";
import { priorOf } from "../dial-transport.ts";
import { dialSse } from "./dial-sse.ts";
import { EnduringHttpTransport } from "./http-transport.ts";

export interface HttpDialerOptions {
  readonly url: URL;
  readonly fetch: FetchLike;
  readonly headers: Readonly<Record<string, string>>;
  /** how the server is spoken to; `auto` finds out */
  readonly mode: "auto" | "streamable" | "sse";
  /** Ends the pool of connections. */
  readonly closePool: () => Promise<void>;
}

/** a server that does not know Streamable HTTP answers its POST with one of these */
const notStreamable: ReadonlySet<number> = new Set([400, 404, 405]);

export function createHttpDialer(options: HttpDialerOptions): Dialer {
  let isSse = options.mode === "sse";
  return {
    name: nameOfUrl(options.url),
    dial: async (dial) => {
      if (isSse) return dialSse(options, dial);
      try {
        return await dialStreamable(options, dial);
      } catch (error) {
        if (options.mode !== "auto" || !isNotStreamable(error)) throw error;
        const dialed = await dialSse(options, dial).catch(() => Promise.reject(error as Error));
        isSse = true;
        return dialed;
      }
    },
    close: options.closePool,
  };
}

async function dialStreamable(options: HttpDialerOptions, dial: DialOptions): Promise<Dialed> {
  const { url, fetch, headers } = options;
  const client = dial.createClient();
  const transport = new EnduringHttpTransport(url, { fetch, requestInit: { headers } });
  await client.connect(transport, {
    timeout: dial.timeoutMs,
    signal: dial.signal,
    ...(dial.prior === undefined ? {} : { prior: dial.prior }),
  });
  return {
    client,
    prior: priorOf(client),
    network: "tcp",
    isSession: () => transport.sessionId !== undefined,
    isSessionLost: (error) => transport.sessionId !== undefined && isSessionForgotten(error),
    close: async () => {
      // the server may be gone or not allow it; the session then ends with its own time
      if (transport.sessionId !== undefined)
        await transport.terminateSession().catch(() => undefined);
      await client.close();
    },
  };
}

function isNotStreamable(error: unknown): boolean {
  for (let each = error, depth = 0; each instanceof Error && depth < 5; depth += 1) {
    if (isStatus(each, [...notStreamable])) return true;
    each = each.cause;
  }
  return false;
}

/**
 * A server that does not know the session says 404 (2025-11-25, basic/transports, "Session Management").
 * Those after the SDK's own example say 400, and that the session id is not valid.
 */
function isSessionForgotten(error: unknown): boolean {
  if (isStatus(error, [404])) return true;
  if (!(error instanceof SdkHttpError) || error.data.status !== 400) return false;
  const { text } = error.data;
  return typeof text === "string" && /\bno valid session\b/i.test(text);
}

function isStatus(error: unknown, statuses: readonly number[]): boolean {
  return error instanceof SdkHttpError && statuses.includes(error.data.status);
}
