/** The SDK's Streamable HTTP transport, with an end for every call whose stream breaks. */
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type {
  FetchLike,
  JSONRPCMessage,
  JSONRPCRequest,
  RequestId,
  StreamableHTTPClientTransportOptions,
} from "@modelcontextprotocol/client";
import { isLuminaGuardError } from "../../../errors.ts";
import { isMessage } from "../line-framing.ts";
import { LearnedHeaders } from "./learned-headers.ts";
import { peekJson } from "./lean-response.ts";
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
  /** what its headers are remembered by */
  readonly key: string | undefined;
  /** came before the SDK asked for it */
  response?: Response;
}

/** takes a request's number from `send` to `fetch`; never leaves this file */
const flightHeader = "luminaguard-flight";

export class EnduringHttpTransport extends StreamableHTTPClientTransport {
  readonly #unanswered = new Set<RequestId>();
  readonly #flights: Map<string, Flight>;
  readonly #headers: LearnedHeaders;
  readonly #fetch: FetchLike;
  readonly #url: URL;
  #hearing: OnMessage | undefined;

  constructor(url: URL, options: EnduringHttpOptions) {
    const flights = new Map<string, Flight>();
    const headers = new LearnedHeaders();
    super(url, {
      ...options,
      fetch: createFlightFetch(options.fetch, flights, headers),
      reconnectionOptions: {
        initialReconnectionDelay: 1000,
        maxReconnectionDelay: reopenMaxMs,
        reconnectionDelayGrowFactor: 2,
        maxRetries: 5,
      },
    });
    this.#flights = flights;
    this.#headers = headers;
    this.#fetch = options.fetch;
    this.#url = url;
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
      const sent = this.#withFlight(message, { ...options, onRequestStreamEnd });
      if (!(await this.#sendQuickly(message))) await super.send(message, sent);
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
  #withFlight(
    message: JSONRPCRequest,
    options: NonNullable<SendOptions>,
  ): NonNullable<SendOptions> {
    const { id } = message;
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
    const { headers } = options;
    const key = this.#headers.keyOf(message, { headers, sessionId: this.sessionId });
    this.#flights.set(String(id), { end, showSignal, key });
    return shown;
  }

  /**
   * Sends a request whose headers are known, and hands its answer on where that is one document, as nearly
   * all are. Any other answer is left for the SDK, which gets it as if it had asked itself.
   */
  async #sendQuickly(message: JSONRPCRequest): Promise<boolean> {
    const flight = this.#flights.get(String(message.id));
    const headers = flight?.key === undefined ? undefined : this.#headers.get(flight.key);
    if (flight === undefined || headers === undefined) return false;
    const { signal } = flight.end;
    const body = JSON.stringify(message);
    const init = { method: "POST", headers, body, signal, redirect: "manual" } as const;
    const response = await this.#fetch(this.#url, init).catch((error: unknown) => {
      if (!signal.aborted) this.onerror?.(error as Error); // as the SDK does
      throw error;
    });
    const answer = peekJson(response);
    if (!isMessage(answer)) {
      flight.response = response;
      return false;
    }
    this.onmessage?.(answer);
    return true;
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
function createFlightFetch(
  fetch: FetchLike,
  flights: ReadonlyMap<string, Flight>,
  learned: LearnedHeaders,
): FetchLike {
  return async (url, init = {}) => {
    const { headers } = init;
    const id = headers instanceof Headers ? headers.get(flightHeader) : null;
    if (!(headers instanceof Headers) || id === null) return fetch(url, init);
    headers.delete(flightHeader);
    const flight = flights.get(id);
    const signal = flight?.end.signal ?? init.signal ?? null;
    const came = flight === undefined ? undefined : depart(flight, headers, learned);
    const response = came ?? (await fetch(url, { ...init, signal }));
    // the SDK follows a redirect with the same headers
    if (response.status >= 300 && response.status < 400) headers.set(flightHeader, id);
    return response;
  };
}

/** Gives the answer that the SDK asks for, where it came before. */
function depart(flight: Flight, headers: Headers, learned: LearnedHeaders): Response | undefined {
  flight.showSignal();
  if (flight.key !== undefined) learned.learn(flight.key, headers);
  const { response } = flight;
  delete flight.response;
  return response;
}
