/**
 * MCP with a child process over its stdin and stdout. The child gets the environment it is given and
 * nothing else, is ended with its process group, and may write what it likes to stderr.
 *
 * The SDK knows a transport with `stderr` and `pid` as stdio: a `server/discover` that is not answered
 * in time then means an older server, and not a failure.
 */
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import type { ChildExit } from "../../../process/child.ts";
import { startService } from "../../../process/start-service.ts";
import type { Service } from "../../../process/start-service.ts";
import { StreamTransport } from "../stream-transport.ts";

export interface StdioServer {
  /** program, looked up in the PATH of `env` */
  readonly command: string;
  /** @default none */
  readonly args?: readonly string[] | undefined;
  /** all the environment it gets */
  readonly env: Readonly<Record<string, string>>;
  /** folder it starts in
   * @default this process's */
  readonly cwd?: string | undefined;
}

export interface StdioTransportOptions extends StdioServer {
  /** wait in `ms` after stdin is closed, and again after SIGTERM
   * @default 2_000 */
  readonly graceMs?: number | undefined;
  /** largest message accepted, in `bytes`; a larger one ends the child
   * @default 10 MiB */
  readonly messageBytesMax?: number | undefined;
  /** each line of its stderr; hostile text */
  readonly onStderrLine?: ((line: string) => void) | undefined;
}

const defaultGraceMs = 2_000;

export class StdioTransport implements Transport {
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: Transport["onmessage"];
  readonly #options: StdioTransportOptions;
  #service: Service | undefined;
  #spawning: Promise<Service> | undefined;
  #stream: StreamTransport | undefined;
  #isClosed = false;
  #hasDied = false;

  constructor(options: StdioTransportOptions) {
    this.#options = options;
  }

  /** never a stream: see `stderrTail` and `onStderrLine` */
  get stderr(): null {
    return null;
  }

  /** null before the start */
  get pid(): number | null {
    return this.#service?.pid ?? null;
  }

  /** how the child ended, when it has and its output was read; undefined before the start */
  get closed(): Promise<ChildExit> | undefined {
    return this.#service?.closed;
  }

  /** whether it ended, or had to be ended, before anybody closed it */
  get hasDied(): boolean {
    return this.#hasDied;
  }

  /** last 4 KiB of stderr */
  stderrTail(): string {
    return this.#service?.stderrTail() ?? "";
  }

  /**
   * Starts the child, as `start` would, and gives its pid; what it writes waits for `start`. Rejects with
   * TOOL_MISSING or PROCESS_FAILED when it does not start.
   */
  async spawn(): Promise<number> {
    const { pid } = await this.#spawn();
    return pid;
  }

  /** Starts the child and reads what it writes. */
  async start(): Promise<void> {
    if (this.#stream !== undefined) throw new Error("a transport is started once");
    const service = await this.#spawn();
    const stream = new StreamTransport({
      readable: service.stdout,
      writable: service.stdin,
      messageBytesMax: this.#options.messageBytesMax,
      end: () => this.#stop(service),
    });
    stream.onmessage = (message, extra) => this.onmessage?.(message, extra);
    stream.onerror = (error) => this.onerror?.(error);
    stream.onclose = () => {
      this.#markEnd();
      this.onclose?.();
    };
    this.#stream = stream;
    await stream.start();
    if (this.#isClosed) await stream.close();
  }

  send(message: JSONRPCMessage): Promise<void> {
    if (this.#stream !== undefined) return this.#stream.send(message);
    return Promise.reject(new Error("a transport is started before it sends"));
  }

  /** Settles when nothing of the child's group is left. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#stream !== undefined) await this.#stream.close();
    else if (this.#service !== undefined) await this.#stop(this.#service);
  }

  #spawn(): Promise<Service> {
    const { command, args = [], ...options } = this.#options;
    this.#spawning ??= startService(command, args, options).then((service) => {
      this.#service = service;
      void service.exited.then(() => this.#markEnd());
      return service;
    });
    return this.#spawning;
  }

  #stop(service: Service): Promise<ChildExit> {
    return service.stop(this.#options.graceMs ?? defaultGraceMs);
  }

  #markEnd(): void {
    this.#hasDied ||= !this.#isClosed;
  }
}
