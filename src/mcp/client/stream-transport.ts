/**
 * MCP over any stream of bytes, for a server inside a machine, behind a socket, or a child's pipes. One
 * message a line each way. It ends once: `onclose` is called when either side ends, and never before what
 * was received has been handed over.
 */
import type { Readable, Writable } from "node:stream";
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import { createDeferred } from "../../base/deferred.ts";
import type { Deferred } from "../../base/deferred.ts";
import { LuminaGuardError } from "../../errors.ts";
import { defaultMessageBytesMax, frameMessage, MessageReader } from "./line-framing.ts";

export interface StreamTransportOptions {
  /** what the server writes */
  readonly readable: Readable;
  /** what the server reads; the same object where the stream goes both ways */
  readonly writable: Writable;
  /** largest message accepted, in `bytes`; a larger one ends the stream with MCP_PROTOCOL
   * @default 10 MiB */
  readonly messageBytesMax?: number | undefined;
  /** most bytes that wait for a server that does not read; more is MCP_TRANSIENT
   * @default 32 MiB */
  readonly queueBytesMax?: number | undefined;
  /** ends the other side, called once
   * @default both streams are destroyed */
  readonly end?: (() => Promise<unknown>) | undefined;
}

const defaultQueueBytesMax = 32 * 1024 * 1024;

export class StreamTransport implements Transport {
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: Transport["onmessage"];
  readonly #options: StreamTransportOptions;
  readonly #reader: MessageReader;
  #isClosed = false;
  #ending: Promise<unknown> | undefined;
  #drained: Deferred<void> | undefined;

  constructor(options: StreamTransportOptions) {
    this.#options = options;
    this.#reader = new MessageReader({
      messageBytesMax: options.messageBytesMax ?? defaultMessageBytesMax,
      onMessage: (message) => this.#deliver(message),
      onGarbage: (error) => this.onerror?.(error),
    });
  }

  /** Begins to read. Messages that came before are not lost: a stream keeps them until it is read. */
  start(): Promise<void> {
    const { readable, writable } = this.#options;
    readable.on("data", this.#receive);
    for (const event of ["end", "close"]) readable.once(event, () => this.#finish());
    readable.on("error", (error: Error) => {
      if (!this.#isClosed) this.onerror?.(error);
      this.#finish();
    });
    if ((writable as unknown) !== readable) writable.on("error", this.#stopWriting);
    writable.on("drain", () => this.#settleDrain());
    if (readable.destroyed) this.#finish();
    return Promise.resolve();
  }

  /**
   * Settles when the stream took the message and asks for more. Rejects with MCP_TRANSIENT, whose
   * `details.delivery` is `never` when the message was not sent, `maybe` when the stream ended meanwhile.
   */
  send(message: JSONRPCMessage): Promise<void> {
    const { writable, queueBytesMax = defaultQueueBytesMax } = this.#options;
    if (this.#isClosed || !writable.writable) {
      return Promise.reject(notSent("the connection is closed"));
    }
    if (writable.writableLength > queueBytesMax) {
      return Promise.reject(notSent("it does not read what it is sent"));
    }
    if (writable.writableCorked === 0) {
      // what is sent in one turn goes out in one write
      writable.cork();
      process.nextTick(() => writable.uncork());
    }
    if (writable.write(frameMessage(message))) return Promise.resolve();
    this.#drained ??= createDeferred();
    return this.#drained.promise;
  }

  /** Settles when the other side has ended too. Closing twice is harmless. */
  async close(): Promise<void> {
    this.#finish();
    await this.#ending;
  }

  readonly #receive = (chunk: Buffer | string): void => {
    if (this.#isClosed) return;
    try {
      this.#reader.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk));
    } catch (error) {
      this.onerror?.(error as Error);
      this.#finish();
    }
  };

  /** Nothing can be asked any more; what was answered before is still read, until the other side ends. */
  readonly #stopWriting = (error: Error): void => {
    if (this.#isClosed) return;
    this.onerror?.(error);
    this.#settleDrain(closedInMidSend());
    this.#endOnce();
  };

  #deliver(message: JSONRPCMessage): void {
    try {
      if (!this.#isClosed) this.onmessage?.(message);
    } catch (error) {
      // a message that its reader cannot digest must not end the stream for all others
      this.onerror?.(error as Error);
    }
  }

  #finish(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#endOnce();
    try {
      this.onclose?.();
    } finally {
      this.#settleDrain(closedInMidSend());
    }
  }

  #endOnce(): void {
    if (this.#ending !== undefined) return;
    this.#ending = this.#end();
    this.#ending.catch((error: unknown) => this.onerror?.(error as Error));
  }

  async #end(): Promise<void> {
    const { readable, writable, end } = this.#options;
    if (end === undefined) {
      writable.destroy();
      readable.destroy();
    } else await end();
  }

  #settleDrain(failure?: LuminaGuardError): void {
    if (failure === undefined) this.#drained?.resolve();
    else this.#drained?.reject(failure);
    this.#drained = undefined;
  }
}

function notSent(why: string): LuminaGuardError {
  const message = `the message was not sent to the MCP server: ${why}`;
  return new LuminaGuardError("MCP_TRANSIENT", message, { details: { delivery: "never" } });
}

function closedInMidSend(): LuminaGuardError {
  const message = "the connection to the MCP server ended while a message was sent";
  return new LuminaGuardError("MCP_TRANSIENT", message, { details: { delivery: "maybe" } });
}
