/** Messages and a machine's bytes over a stream to another host, at the pace of whoever is slower. */
import { once } from "node:events";
import { Readable } from "node:stream";
import type { Duplex } from "node:stream";
import * as v from "valibot";
import { withDeadline } from "../../base/deadline.ts";
import { LuminaGuardError } from "../../errors.ts";
import { encodeBytesHead, encodeMessage, frameBytesMax, FrameReader } from "./frames.ts";
import type { Frame } from "./frames.ts";

interface ReceiveOptions {
  readonly timeoutMs: number;
  /** what is waited for, for a person */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

export class FrameLink {
  readonly #channel: Duplex;
  readonly #frames: AsyncGenerator<Frame, void, undefined>;

  constructor(channel: Duplex, messageBytesMax?: number) {
    this.#channel = channel;
    channel.on("error", () => undefined); // whoever reads or writes hears of it
    this.#frames = readFrames(channel, new FrameReader(messageBytesMax));
  }

  get isOpen(): boolean {
    return !this.#channel.destroyed && this.#channel.writable;
  }

  /** Raises WIRE_BROKEN when the link is cut. */
  async send(message: unknown): Promise<void> {
    await this.#write(encodeMessage(message));
  }

  /** At most `frameBytesMax` bytes, as one frame. */
  async sendPart(bytes: Buffer): Promise<void> {
    this.#channel.write(encodeBytesHead(bytes.length));
    await this.#write(bytes);
  }

  /** All of it, as frames. Gives how many bytes it was. */
  async sendBytes(source: Readable, onProgress?: (bytes: number) => void): Promise<number> {
    let sent = 0;
    for await (const chunk of source as AsyncIterable<Buffer>) {
      for (let from = 0; from < chunk.length; from += frameBytesMax) {
        await this.sendPart(chunk.subarray(from, from + frameBytesMax));
      }
      sent += chunk.length;
      onProgress?.(sent);
    }
    return sent;
  }

  /** Raises WIRE_BROKEN when the link is cut, TIMEOUT. */
  async next(options: ReceiveOptions): Promise<Frame> {
    const next = await withDeadline(this.#next(), options);
    if (next === undefined) throw cut();
    return next;
  }

  /** The next message. Raises WIRE_BROKEN when the link is cut or it is none of these, TIMEOUT. */
  async receive<T>(schema: v.GenericSchema<unknown, T>, options: ReceiveOptions): Promise<T> {
    const next = await this.next(options);
    const message = next.kind === "message" ? v.safeParse(schema, next.message) : undefined;
    if (message?.success === true) return message.output;
    this.close();
    throw new LuminaGuardError("WIRE_BROKEN", `the other host sent no ${options.what}`);
  }

  /** The bytes up to the next message, which is handed to `onEnd`; that it raises fails the stream. */
  receiveBytes(onEnd: (message: unknown, bytes: number) => void): Readable {
    const next = (): Promise<Frame | undefined> => this.#next();
    return Readable.from(
      (async function* () {
        let bytes = 0;
        for (;;) {
          const frame = await next();
          if (frame === undefined) throw cut();
          if (frame.kind === "message") {
            onEnd(frame.message, bytes);
            return;
          }
          bytes += frame.bytes.length;
          yield frame.bytes;
        }
      })(),
      { objectMode: false },
    );
  }

  close(): void {
    this.#channel.destroy();
  }

  /** Says that nothing more comes, and waits until that was sent or the link is gone. */
  async end(): Promise<void> {
    if (this.#channel.destroyed) return;
    const closed = once(this.#channel, "close").catch(() => undefined);
    this.#channel.end();
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, endMs).unref())]);
    this.close();
  }

  async #next(): Promise<Frame | undefined> {
    const next = await this.#frames.next();
    return next.done === true ? undefined : next.value;
  }

  async #write(bytes: Buffer): Promise<void> {
    if (!this.isOpen) throw cut();
    const written = new Promise<void>((resolve, reject) => {
      this.#channel.write(bytes, (error) => {
        if (error === null || error === undefined) resolve();
        else reject(cut(error));
      });
    });
    try {
      await withDeadline(written, { timeoutMs: stallMs, what: "sending to the other host" });
    } catch (error) {
      this.close(); // half a frame may be on its way
      throw error;
    }
  }
}

/** a link that takes nothing for this long is cut, in `ms` */
const stallMs = 20_000;
/** longest wait for the other side to close as well, in `ms` */
const endMs = 1_000;

async function* readFrames(
  channel: Duplex,
  reader: FrameReader,
): AsyncGenerator<Frame, void, undefined> {
  try {
    for await (const chunk of channel as AsyncIterable<Buffer>) yield* reader.push(chunk);
  } catch (error) {
    if (error instanceof LuminaGuardError) throw error;
    throw cut(error);
  }
}

function cut(cause?: unknown): LuminaGuardError {
  return new LuminaGuardError("WIRE_BROKEN", "the link to the other host was cut", { cause });
}
