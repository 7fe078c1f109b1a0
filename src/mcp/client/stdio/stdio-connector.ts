/**
 * Keeps one stdio server alive: each `open` gives a fresh child, after the one before has ended. A child
 * that ends unasked makes the next one wait, and too many of them make an end of it for a while.
 *
 *   open ─▶ the last child is ended ─▶ ended too often? MCP_UNAVAILABLE ─▶ wait ─▶ start
 */
import { hostClock } from "../../../base/clock.ts";
import type { Clock } from "../../../base/clock.ts";
import { LuminaGuardError } from "../../../errors.ts";
import type { ChildExit } from "../../../process/child.ts";
import { createMcpError } from "../delivery.ts";
import { waitFor } from "../retry.ts";
import { describeEnd, escapeTail } from "./describe-end.ts";
import { RestartPolicy } from "./restart-policy.ts";
import type { RestartOptions } from "./restart-policy.ts";
import { StdioTransport } from "./stdio-transport.ts";
import type { StdioTransportOptions } from "./stdio-transport.ts";

export type StdioEvent =
  /** the next start is put off */
  | { readonly kind: "waiting"; readonly waitMs: number }
  | { readonly kind: "started"; readonly pid: number }
  | {
      readonly kind: "ended";
      readonly pid: number;
      readonly exit: ChildExit;
      /** it was closed, and did not end by itself */
      readonly wasAsked: boolean;
    }
  /** it ended too often, and is left alone for so long */
  | { readonly kind: "gave-up"; readonly restMs: number };

export interface StdioConnectorOptions extends StdioTransportOptions {
  /** the server's name for people
   * @default the command */
  readonly name?: string | undefined;
  readonly restart?: Partial<RestartOptions> | undefined;
  readonly onEvent?: ((event: StdioEvent) => void) | undefined;
  /** @default the host's */
  readonly clock?: Clock | undefined;
  /** at least 0, below 1
   * @default Math.random */
  readonly random?: (() => number) | undefined;
  /** settles after `ms`, or rejects with the signal's reason
   * @default waits on the clock */
  readonly wait?: ((ms: number, signal: AbortSignal) => Promise<void>) | undefined;
}

export class StdioConnector {
  readonly name: string;
  readonly #options: StdioConnectorOptions;
  readonly #policy: RestartPolicy;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #last: StdioTransport | undefined;
  #lastExit: ChildExit | undefined;
  /** settles when the last child has ended and that was taken down */
  #recorded: Promise<void> = Promise.resolve();

  constructor(options: StdioConnectorOptions) {
    this.name = options.name ?? options.command;
    this.#options = options;
    this.#policy = new RestartPolicy(options.restart);
    this.#clock = options.clock ?? hostClock;
  }

  /**
   * Starts a fresh child; one call at a time. Rejects with MCP_UNAVAILABLE when it ended too often, with
   * TOOL_MISSING or PROCESS_FAILED when it does not start, with the signal's reason.
   */
  async open(signal?: AbortSignal): Promise<StdioTransport> {
    const given = signal === undefined ? [] : [signal];
    const either = AbortSignal.any([this.#closing.signal, ...given]);
    either.throwIfAborted();
    await this.#last?.close();
    await this.#recorded;
    this.#refuseWhenLooping();
    await this.#wait(either);
    const transport = new StdioTransport(this.#options);
    const pid = await transport.spawn().catch((error: unknown) => {
      this.#policy.recordEnd(this.#clock.now(), 0);
      throw error;
    });
    this.#last = transport;
    this.#recorded = this.#record(transport, pid, this.#clock.now());
    this.#options.onEvent?.({ kind: "started", pid });
    if (either.aborted) await transport.close();
    either.throwIfAborted();
    return transport;
  }

  /** The last child ended for a reason that another start does away with: it does not count. */
  excuseEnd(): void {
    this.#policy.excuseEnd();
  }

  /** How the last child ended, with its last words, on one line fit for a terminal. */
  async describeEnd(): Promise<string> {
    await this.#recorded;
    return this.#describe();
  }

  /** last 4 KiB of the last child's stderr, fit for a terminal */
  stderrTail(): string {
    return escapeTail(this.#last?.stderrTail() ?? "");
  }

  /** Settles when nothing of any child is left; nothing is started any more. */
  async close(): Promise<void> {
    this.#closing.abort(new LuminaGuardError("CANCELLED", `${this.name} was closed`));
    await this.#last?.close();
    await this.#recorded;
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { random = Math.random, onEvent } = this.#options;
    const waitMs = this.#policy.waitMs(random);
    if (waitMs === 0) return;
    onEvent?.({ kind: "waiting", waitMs });
    await (this.#options.wait ?? this.#waitOnClock)(waitMs, signal);
  }

  readonly #waitOnClock = (ms: number, signal: AbortSignal): Promise<void> =>
    waitFor(ms, this.#clock, signal);

  async #record(transport: StdioTransport, pid: number, startedAt: number): Promise<void> {
    const exit = await transport.closed;
    if (exit === undefined) return;
    this.#lastExit = exit;
    const wasAsked = !transport.hasDied;
    const now = this.#clock.now();
    if (!wasAsked) this.#policy.recordEnd(now, now - startedAt);
    this.#options.onEvent?.({ kind: "ended", pid, exit, wasAsked });
  }

  #refuseWhenLooping(): void {
    const restMs = this.#policy.restMs(this.#clock.now());
    if (restMs === 0) return;
    this.#options.onEvent?.({ kind: "gave-up", restMs });
    const message = `${this.name} ends again and again: the last time ${this.#describe()}`;
    const seconds = String(Math.ceil(restMs / 1000));
    throw createMcpError("MCP_UNAVAILABLE", message, {
      hint: `mend the server; it is not started again for ${seconds} s`,
      delivery: "never",
      endpoint: this.name,
    });
  }

  #describe(): string {
    return describeEnd(this.#lastExit, this.#last?.stderrTail() ?? "");
  }
}
