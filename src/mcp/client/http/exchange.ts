/**
 * One HTTP exchange over an undici dispatcher: the request's whole life as a state machine, without
 * streams where the answer is one document. A response stream obeys its reader's pace.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import type { Clock } from "../../../base/clock.ts";
import { createDeferred } from "../../../base/deferred.ts";
import { createMcpError } from "../delivery.ts";
import { toConnectionError } from "./connection-failure.ts";
import { createLeanResponse } from "./lean-response.ts";
import { SilenceWatch } from "./silence-watch.ts";

export interface ExchangeLimits {
  /** until the first byte of the answer, in ms; 0 is for ever */
  readonly firstByteMs: number;
  /** silence within an answer, in ms; 0 is for ever */
  readonly idleMs: number;
  /** largest answer that is one document, in bytes */
  readonly answerBytesMax: number;
}

export interface ExchangeOptions {
  /** the address as people may read it */
  readonly endpoint: string;
  readonly limits: ExchangeLimits;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

type Chunks = ReadableStreamDefaultController<Uint8Array>;

/** unread bytes of a response stream that are held before the socket is left to wait */
const unreadBytesMax = 256 * 1024;

export class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions;
  readonly #watch: SilenceWatch;
  readonly #response = createDeferred<Response>();
  readonly #onAbort = (): void => this.#fail(this.#options.signal?.reason);
  #controller: Dispatcher.DispatchController | undefined;
  #head: { status: number; statusText: string; headers: IncomingHttpHeaders } | undefined;
  #chunks: Chunks | undefined;
  #parts: Buffer[] = [];
  #bytes = 0;
  #isOver = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { limits, clock, signal } = options;
    const { firstByteMs, idleMs } = limits;
    this.#watch = new SilenceWatch(firstByteMs, idleMs, clock, () => this.#failSilent());
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (signal?.aborted === true) this.#onAbort();
  }

  /** settles with the head of a stream, or with a whole document */
  get response(): Promise<Response> {
    return this.#response.promise;
  }

  /** Called when the request is about to be written: what fails before provably never arrived. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error("the call is over"));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
    statusText = "",
  ): void {
    if (status < 200 || this.#isOver) return;
    this.#head = { status, statusText, headers };
    this.#watch.restart(this.#options.limits.idleMs);
    if (status === 200 && isStream(headers)) this.#respond(this.#openStream());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    this.#watch.hear();
    if (this.#chunks !== undefined) {
      this.#chunks.enqueue(chunk);
      if ((this.#chunks.desiredSize ?? 0) <= 0) {
        controller.pause();
        this.#watch.restart(0); // the silence of a reader who does not read is not the server's
      }
      return;
    }
    this.#bytes += chunk.length;
    if (this.#bytes > this.#options.limits.answerBytesMax) this.#failOversize();
    else this.#parts.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    this.#finish();
    const [only] = this.#parts;
    if (this.#chunks !== undefined) this.#chunks.close();
    else if (only !== undefined && this.#parts.length === 1) this.#respond(only);
    else this.#respond(Buffer.concat(this.#parts, this.#bytes));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const { endpoint } = this.#options;
    this.#fail(toConnectionError(error, this.#controller !== undefined, endpoint));
  }

  #respond(body: Buffer | ReadableStream<Uint8Array>): void {
    if (this.#head === undefined) return;
    const { endpoint } = this.#options;
    this.#response.resolve(createLeanResponse({ ...this.#head, url: endpoint, body }));
  }

  #openStream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (chunks) => void (this.#chunks = chunks),
        pull: () => {
          if (this.#isOver) return;
          this.#watch.restart(this.#options.limits.idleMs);
          this.#controller?.resume();
        },
        cancel: () => this.#fail(new Error("the reader of the answer left")),
      },
      { highWaterMark: unreadBytesMax, size: ({ byteLength }) => byteLength },
    );
  }

  #failSilent(): void {
    const { endpoint, limits } = this.#options;
    const phase = this.#head === undefined ? "first-byte" : "idle";
    const ms = phase === "idle" ? limits.idleMs : limits.firstByteMs;
    const delivery = this.#controller === undefined ? "never" : "maybe";
    const message = `${endpoint}: ${phase === "idle" ? "the answer stalled" : "no answer"} for ${String(ms)} ms`;
    this.#fail(createMcpError("TIMEOUT", message, { delivery, phase, endpoint }));
  }

  #failOversize(): void {
    const { endpoint, limits } = this.#options;
    const message = `${endpoint}: the answer is larger than ${String(limits.answerBytesMax)} bytes`;
    const hint = "ask for less, or raise limits.answerBytesMax";
    this.#fail(createMcpError("MCP_PROTOCOL", message, { delivery: "maybe", endpoint, hint }));
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#finish();
    this.#parts = [];
    this.#response.reject(error);
    this.#response.promise.catch(() => undefined);
    this.#chunks?.error(error);
    this.#controller?.abort(new Error("the call is over"));
  }

  #finish(): void {
    this.#isOver = true;
    this.#watch.stop();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }
}

function isStream(headers: IncomingHttpHeaders): boolean {
  const type = headers["content-type"];
  return type !== undefined && /^\s*text\/event-stream\b/i.test(type);
}
