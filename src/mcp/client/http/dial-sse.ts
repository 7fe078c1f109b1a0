/** Connects by the HTTP+SSE of 2024-11-05: answers come on one stream that is the session. */
import {
  SdkErrorCode,
  SdkHttpError,
  SSEClientTransport,
  SseError,
} from "@modelcontextprotocol/client";
import type { FetchLike } from "@modelcontextprotocol/client";
import type { Dialed, DialOptions } from "../dialer.ts";

export interface SseOptions {
  readonly url: URL;
  readonly fetch: FetchLike;
  readonly headers: Readonly<Record<string, string>>;
}

/** Raises what the stream could not be opened for, which the SDK tells as a text. */
export async function dialSse(options: SseOptions, dial: DialOptions): Promise<Dialed> {
  const { url, headers } = options;
  let streamFailure: unknown;
  const fetch = refusing(options.fetch, (error) => (streamFailure ??= error));
  const client = dial.createClient();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- servers of 2024-11-05 speak nothing else
  const transport = new SSEClientTransport(url, { fetch, requestInit: { headers } });
  try {
    await client.connect(transport, {
      timeout: dial.timeoutMs,
      signal: dial.signal,
      prior: { kind: "legacy" },
    });
  } catch (error) {
    await client.close();
    throw streamFailure ?? error;
  }
  // a new stream would never carry the answers that are awaited; a POST that failed hurts no other
  const onError = transport.onerror;
  transport.onerror = (error) => {
    onError?.(error);
    if (error instanceof SseError) void client.close();
  };
  return {
    client,
    prior: { kind: "legacy" },
    network: "tcp",
    isSession: () => true,
    isSessionLost: (error) => error instanceof SdkHttpError && error.data.status === 404,
    close: () => client.close(),
  };
}

/** Refusals become errors that say which, as they are for Streamable HTTP. */
function refusing(fetch: FetchLike, onStreamFailure: (error: unknown) => void): FetchLike {
  return async (input, init) => {
    try {
      const response = await fetch(input, init);
      if (response.status < 400) return response;
      const { status, statusText } = response;
      const text = await response.text();
      const message = `the server refused the request (HTTP ${String(status)})`;
      const code = SdkErrorCode.ClientHttpFailedToOpenStream;
      throw new SdkHttpError(code, message, { status, statusText, text });
    } catch (error) {
      if ((init?.method ?? "GET") === "GET") onStreamFailure(error);
      throw error;
    }
  };
}
