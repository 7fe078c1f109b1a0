/** The SDK's Streamable HTTP transport, with an end for every call whose stream breaks. */
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type {
  FetchLike,
  JSONRPCMessage,
  RequestId,
  StreamableHTTPClientTransportOptions,
} from "@modelcontextprotocol/client";
import { isLuminaGuardError } from "../../../errors.ts";
import { createLostAnswer } from "./lost-answer.ts";

/** longest wait before a standing stream that keeps ending is opened again, in ms */
const reopenMaxMs = 60_000;

/** As the SDK's, with a `fetch` that keeps to the endpoint's limits. */
export interface EnduringHttpOptions extends StreamableHTTPClientTransportOptions {
  readonly fetch: FetchLike;
}

type SendOptions = Parameters<StreamableHTTPClientTransport["send"]>[1];
type OnMessage = NonNullable<StreamableHTTPClientTransport["onmessage"]>;

/** A request under way that can be ended without the others. */
interface Flight {
  readonly end: AbortController;
  /** what the SDK looks at once the request is on its way */
  readonly showSignal: () => void;
}

/** takes a request's number from `send` to `fetch`; never leaves this file */
const flightHeader = "luminaguard-flight";

export class EnduringHttpTransport extends StreamableHTTPClientTransport {
  readonly #unanswered = new Set<RequestId>();
  readonly #flights: Map<string, Flight>;
  #hearing: OnMessage | undefined;

  constructor(url: URL, options: EnduringHttpOptions) {
    const flights = new Map<string, Flight>();
    super(url, {
      ...options,
      fetch: createFlightFetch(options.fetch, flights),
      reconnectionOptions: {
        initialReconnectionDelay: 1000,
        maxReconnectionDelay: reopenMaxMs,
        reconnectionDelayGrowFactor: 2,
        maxRetries: 5,
      },
    });
    this.#flights = flights;
  }

  override async send(message: JSONRPCMessage, options?: SendOptions): Promise<void> {
    // what the SDK sends needs no check of its form; a subscription's stream has an end of its own
    const isRequest = "method" in message && "id" in message;
    if (!isRequest) return this.#sendTwiceIfLost(message, options);
    if (options?.onRequestStreamEnd !== undefined) return super.send(message, options);
    this.#hearAnswers();
    const { id } = message;
    this.#unanswered.add(id);
    const onRequestStreamEnd = (): void => {
      this.#flights.delete(String(id));
      this.#giveUp(id);
    };
    try {
      await super.send(message, this.#withFlight(id, { ...options, onRequestStreamEnd }));
      if (!this.#unanswered.has(id)) this.#flights.delete(String(id));
    } catch (error) {
      this.#unanswered.delete(id);
      this.#flights.delete(String(id));
      throw error;
    }
  }

  /** An answer or a notification that comes twice is taken once: one lost with its connection is sent again. */
  async #sendTwiceIfLost(message: JSONRPCMessage, options?: SendOptions): Promise<void> {
    try {
      await super.send(message, options);
    } catch (error) {
      if (!isLuminaGuardError(error, "MCP_TRANSIENT")) throw error;
      await super.send(message, options);
    }
  }

  override async close(): Promise<void> {
    const flights = [...this.#flights.values()];
    this.#flights.clear();
    for (const { end } of flights) end.abort(new Error("the connection was closed"));
    await super.close();
  }

  /**
   * The SDK joins the signal of each request with that of the transport by `AbortSignal.any`, which
   * Node 20 never forgets: the transport's grows with every call. So the request's is kept back until
   * the two were to be joined, and `fetch` gets one that both of them end.
   */
  #withFlight(id: RequestId, options: NonNullable<SendOptions>): NonNullable<SendOptions> {
    const { requestSignal, ...rest } = options;
    if (requestSignal === undefined || requestSignal.aborted) return options;
    const end = new AbortController();
    const onAbort = (): void => {
      this.#unanswered.delete(id);
      this.#flights.delete(String(id));
      end.abort(requestSignal.reason);
    };
    requestSignal.addEventListener("abort", onAbort, { once: true });
    const shown: NonNullable<SendOptions> = {
      ...rest,
      headers: { ...rest.headers, [flightHeader]: String(id) },
    };
    const showSignal = (): void => void (shown.requestSignal = requestSignal);
    this.#flights.set(String(id), { end, showSignal });
    return shown;
  }

  /** The SDK sets another listener once it knows the server's era. */
  #hearAnswers(): void {
    const deliver = this.onmessage;
    if (deliver === undefined || deliver === this.#hearing) return;
    this.#hearing = (message) => {
      if (!("method" in message) && message.id !== undefined) this.#unanswered.delete(message.id);
      deliver(message);
    };
    this.onmessage = this.#hearing;
  }

  #giveUp(id: RequestId): void {
    if (!this.#unanswered.delete(id)) return;
    // text ids are the SDK's probe of the era: an error for an answer would be taken for an old server's
    if (typeof id === "string") void this.close();
    else this.onmessage?.(createLostAnswer(id));
  }
}

/** `fetch` with the signal of the flight that a request belongs to. */
function createFlightFetch(fetch: FetchLike, flights: ReadonlyMap<string, Flight>): FetchLike {
  return async (url, init) => {
    const { headers } = init ?? {};
    const id = headers instanceof Headers ? headers.get(flightHeader) : null;
    if (!(headers instanceof Headers) || id === null) return fetch(url, init);
    headers.delete(flightHeader);
    const flight = flights.get(id);
    flight?.showSignal();
    const signal = flight?.end.signal ?? init?.signal ?? null;
    const response = await fetch(url, { ...init, signal });
    // the SDK follows a redirect with the same headers
    if (response.status >= 300 && response.status < 400) headers.set(flightHeader, id);
    return response;
  };
}
