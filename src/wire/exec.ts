/**
 * A command in the machine. Its output is read by one consumer in the order it came; reading slowly
 * slows the command. Leaving the loop early, or aborting the signal, ends the command.
 */
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import * as v from "valibot";
import { createDeferred } from "../base/deferred.ts";
import type { Deferred } from "../base/deferred.ts";
import { LuminaGuardError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { FrameDecoder, encodeFrame, frameTypes, framePayloadBytesMax } from "./exec-frames.ts";
import type { Frame } from "./exec-frames.ts";
import { answered, openStream, readBody } from "./request.ts";
import { watchLimit } from "./pace.ts";
import type { Watch } from "./pace.ts";
import type { RequestOptions } from "./request.ts";

export interface TtySize {
  readonly columns: number;
  readonly rows: number;
}

export interface ExecStart {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  /** number or name
   * @default "1000" */
  readonly user?: string | undefined;
  /** whether the command gets a stdin that is written to
   * @default false: the null device */
  readonly stdin?: boolean | undefined;
  /** longest run in `ms`, 0 for no limit
   * @default 0 */
  readonly timeoutMs?: number | undefined;
  readonly tty?: TtySize | undefined;
}

export interface WireExecOptions extends RequestOptions {
  /** time the machine has to end a command that reached its limit, in `ms`
   * @default 10_000 */
  readonly overtimeMs?: number | undefined;
}

export interface OutputChunk {
  readonly source: "stdout" | "stderr";
  readonly data: Buffer;
}

export interface ExecExit {
  /** the command's own code, or 128 + N when signal N ended it */
  readonly exitCode: number;
  readonly signal: number | undefined;
  readonly timedOut: boolean;
  readonly durationMs: number;
}

const exitSchema = v.pipe(
  v.object({
    code: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255))),
    signal: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(64))),
    timedOut: v.boolean(),
    durationMs: v.number(),
  }),
  v.check(({ code, signal }) => (code === undefined) !== (signal === undefined)),
);
const failedSchema = v.object({ code: v.string(), title: v.pipe(v.string(), v.maxLength(4096)) });

const failureCodes: ReadonlyMap<string, ErrorCode> = new Map([
  ["not-found", "EXEC_NOT_FOUND"],
  ["not-executable", "EXEC_NOT_EXECUTABLE"],
]);

export class WireExec {
  readonly #stream: ClientHttp2Stream;
  readonly #signal: AbortSignal | undefined;
  readonly #limit: () => Watch | undefined;
  readonly #answered: Promise<unknown>;
  readonly #exit: Deferred<ExecExit> = createDeferred();

  constructor(session: ClientHttp2Session, start: ExecStart, options: WireExecOptions = {}) {
    const { timeoutMs = 0 } = start;
    this.#signal = options.signal;
    this.#limit = () =>
      timeoutMs === 0
        ? undefined
        : watchLimit(this.#stream, timeoutMs, options.overtimeMs, options.clock);
    const headers = { ":method": "POST", ":path": "/v1/exec" };
    this.#stream = openStream(session, headers, options);
    this.#answered = answered(this.#stream, options);
    this.#answered.catch(() => undefined); // `output` raises it
    this.#stream.write(encodeFrame(frameTypes.start, Buffer.from(JSON.stringify(start))));
    this.#exit.promise.catch(() => undefined); // `output` raises it as well
  }

  /** How the command ended; settles once `output` was read to its end. */
  get exit(): Promise<ExecExit> {
    return this.#exit.promise;
  }

  /**
   * What the command prints, to its end. Raises EXEC_NOT_FOUND, EXEC_NOT_EXECUTABLE, GUEST_REFUSED,
   * WIRE_BROKEN, WIRE_LIMIT, TIMEOUT when the machine ignores the command's limit, or the signal's reason.
   */
  async *output(): AsyncGenerator<OutputChunk, void, undefined> {
    try {
      await this.#answered;
      const decoder = new FrameDecoder();
      for await (const chunk of readBody(this.#stream, this.#signal, this.#limit())) {
        for (const frame of decoder.push(chunk)) {
          const source = outputSources[frame.type];
          if (source !== undefined) yield { source, data: frame.payload };
          else if (this.#take(frame)) return;
        }
      }
      decoder.end();
      throw new LuminaGuardError("WIRE_BROKEN", "the guest did not say how the command ended");
    } catch (error) {
      this.#exit.reject(error);
      throw error;
    } finally {
      this.#exit.reject(
        new LuminaGuardError("CANCELLED", "the command's output was not read to its end"),
      );
      this.#stream.close();
    }
  }

  /** Writes to the command's stdin; resolves when more can be written. */
  async writeStdin(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += framePayloadBytesMax) {
      await this.#send(frameTypes.stdin, data.subarray(at, at + framePayloadBytesMax));
    }
  }

  endStdin(): Promise<void> {
    return this.#send(frameTypes.stdinEnd, Buffer.alloc(0));
  }

  /** Sends a signal, by number, to the command's process group. */
  signal(number: number): Promise<void> {
    return this.#send(frameTypes.signal, Buffer.of(number));
  }

  /** the stream is over: nothing that is sent now reaches the command */
  get isOver(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  resize({ columns, rows }: TtySize): Promise<void> {
    const payload = Buffer.alloc(4);
    payload.writeUInt16BE(columns, 0);
    payload.writeUInt16BE(rows, 2);
    return this.#send(frameTypes.resize, payload);
  }

  /** A command that ended takes no more: what is sent to it then is dropped. */
  #send(type: number, payload: Uint8Array): Promise<void> {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        stream.removeListener("close", done);
        resolve();
      };
      stream.once("close", done);
      stream.write(encodeFrame(type, payload), done);
    });
  }

  /** Whether the frame was the last. */
  #take({ type, payload }: Frame): boolean {
    if (type === frameTypes.exit) {
      const { code, signal, timedOut, durationMs } = parsePayload(exitSchema, payload);
      const exitCode = signal === undefined ? (code ?? 0) : 128 + signal;
      this.#exit.resolve({ exitCode, signal, timedOut, durationMs });
      return true;
    }
    if (type === frameTypes.failed) {
      const { code, title } = parsePayload(failedSchema, payload);
      throw new LuminaGuardError(failureCodes.get(code) ?? "GUEST_REFUSED", title, {
        details: { code },
      });
    }
    if (type === frameTypes.started) return false;
    throw new LuminaGuardError("WIRE_BROKEN", `the guest sent a frame of unknown type ${type}`);
  }
}

const outputSources: Readonly<Record<number, OutputChunk["source"]>> = {
  [frameTypes.stdout]: "stdout",
  [frameTypes.stderr]: "stderr",
};

function parsePayload<const Schema extends v.GenericSchema>(
  schema: Schema,
  payload: Buffer,
): v.InferOutput<Schema> {
  try {
    return v.parse(schema, JSON.parse(payload.toString("utf8")));
  } catch (error) {
    throw new LuminaGuardError("WIRE_BROKEN", "the guest sent a frame that cannot be read", {
      cause: error,
    });
  }
}
