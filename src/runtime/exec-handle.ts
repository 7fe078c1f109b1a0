/**
 * A command in a machine as a program sees it: await it for the result, or read `output` as it comes.
 * Reading `output` means the caller keeps what it wants; awaiting collects up to a bound.
 */
import type { OutputChunk, TtySize, WireExec } from "../wire/exec.ts";
import { ByteCollector } from "../base/byte-collector.ts";
import { LuminaGuardError } from "../errors.ts";

export interface ExecOptions {
  /** variables added to the machine's own */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** folder in the machine
   * @default "/workspace" */
  readonly cwd?: string | undefined;
  /** number or name of a user in the machine, or uid:gid
   * @default the image's own, else "1000" */
  readonly user?: string | undefined;
  /** longest run in `ms`, 0 for no limit
   * @default 0 */
  readonly timeoutMs?: number | undefined;
  /** given to the command on stdin; `true` keeps stdin open for `write`
   * @default the null device */
  readonly stdin?: true | string | Uint8Array | undefined;
  readonly tty?: TtySize | undefined;
  /** most output collected, in `bytes`; more is WIRE_LIMIT
   * @default 64 MiB */
  readonly outputBytesMax?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ExecResult {
  /** the command's own code, 128 + N when signal N ended it, 124 when the time was up */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly durationMs: number;
}

const defaultOutputBytesMax = 64 * 1024 * 1024;
const timedOutCode = 124;

/** What a failure of the wire means for whoever waits for the command. */
export type ExplainFailure = (error: unknown) => Promise<unknown>;

export class ExecHandle implements PromiseLike<ExecResult> {
  readonly #exec: WireExec;
  readonly #outputBytesMax: number;
  readonly #explain: ExplainFailure;
  #result: Promise<ExecResult> | undefined;

  constructor(exec: WireExec, options: ExecOptions, explain: ExplainFailure) {
    this.#exec = exec;
    this.#explain = explain;
    this.#outputBytesMax = options.outputBytesMax ?? defaultOutputBytesMax;
    void this.#feed(options.stdin);
  }

  /** What the command prints, as it comes, in order. For one reader; then await `exit` and not the handle. */
  get output(): AsyncGenerator<OutputChunk, void, undefined> {
    return this.#output();
  }

  /** How the command ended, for a caller who reads `output`. */
  get exit(): Promise<Omit<ExecResult, "stdout" | "stderr">> {
    return this.#exec.exit.then(
      ({ exitCode, timedOut, durationMs }) => {
        return { exitCode: timedOut ? timedOutCode : exitCode, timedOut, durationMs };
      },
      async (error: unknown) => {
        throw await this.#explain(error);
      },
    );
  }

  /** Writes to stdin; resolves when more can be written. */
  write(data: Uint8Array | string): Promise<void> {
    return this.#exec.writeStdin(typeof data === "string" ? Buffer.from(data) : data);
  }

  /** the command has ended, and what is written now is dropped */
  get isOver(): boolean {
    return this.#exec.isOver;
  }

  endStdin(): Promise<void> {
    return this.#exec.endStdin();
  }

  /** Sends a signal, by number, to the command's process group. */
  signal(number: number): Promise<void> {
    return this.#exec.signal(number);
  }

  resize(size: TtySize): Promise<void> {
    return this.#exec.resize(size);
  }

  then<Value = ExecResult, Failure = never>(
    onDone?: ((result: ExecResult) => Value | PromiseLike<Value>) | null,
    onFailed?: ((reason: unknown) => Failure | PromiseLike<Failure>) | null,
  ): Promise<Value | Failure> {
    this.#result ??= this.#collect();
    return this.#result.then(onDone, onFailed);
  }

  async *#output(): AsyncGenerator<OutputChunk, void, undefined> {
    try {
      yield* this.#exec.output();
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  async #collect(): Promise<ExecResult> {
    let bytes = 0;
    const max = this.#outputBytesMax;
    const kept = { stdout: new ByteCollector(max), stderr: new ByteCollector(max) };
    for await (const { source, data } of this.#output()) {
      kept[source].push(data);
      bytes += data.length;
      if (bytes <= max) continue;
      throw new LuminaGuardError("WIRE_LIMIT", `the command printed over ${max} bytes`, {
        hint: "read its `output` as it comes, or raise `outputBytesMax`",
      });
    }
    return {
      ...(await this.exit),
      stdout: kept.stdout.bytes().toString("utf8"),
      stderr: kept.stderr.bytes().toString("utf8"),
    };
  }

  async #feed(stdin: ExecOptions["stdin"]): Promise<void> {
    if (stdin === undefined || stdin === true) return;
    await this.write(stdin);
    await this.endStdin();
  }
}
