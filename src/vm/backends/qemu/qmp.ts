/**
 * QEMU's control protocol: one JSON document a line, over a private socket pair. A machine that
 * broke out of its emulator can write here, so every line is bounded and every answer checked.
 * Protocol: QEMU docs/interop/qmp-spec.
 */
import type { Duplex } from "node:stream";
import * as v from "valibot";
import type { Clock } from "../../../base/clock.ts";
import { withDeadline } from "../../../base/deadline.ts";
import { createDeferred } from "../../../base/deferred.ts";
import type { Deferred } from "../../../base/deferred.ts";
import { LuminaGuardError } from "../../../errors.ts";

const lineBytesMax = 1024 * 1024;
const answerTimeoutMs = 5_000;

const messageSchema = v.object({
  QMP: v.optional(v.unknown()),
  id: v.optional(v.number()),
  return: v.optional(v.unknown()),
  error: v.optional(v.object({ class: v.string(), desc: v.string() })),
  event: v.optional(v.string()),
  data: v.optional(v.unknown()),
});
type Message = v.InferOutput<typeof messageSchema>;

export class QmpClient {
  readonly #channel: Duplex;
  readonly #clock: Clock | undefined;
  readonly #greeted: Deferred<undefined> = createDeferred();
  readonly #waiting = new Map<number, Deferred<unknown>>();
  readonly #listeners = new Set<(event: string, data: unknown) => void>();
  readonly #failed: Deferred<never> = createDeferred();
  #nextId = 1;
  #partial = "";
  #negotiated: Promise<unknown> | undefined;

  /** @param clock what every wait for an answer is counted on */
  constructor(channel: Duplex, clock?: Clock) {
    this.#channel = channel;
    this.#clock = clock;
    this.#failed.promise.catch(() => undefined); // whoever waits for an answer hears of it
    channel.setEncoding("utf8");
    channel.on("data", (text: string) => this.#read(text));
    channel.once("close", () => this.#fail("the hypervisor closed its control channel"));
  }

  /** Resolves when the hypervisor has set itself up: its sockets are listening then. */
  async ready(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const what = "starting the hypervisor";
    const clock = this.#clock;
    await withDeadline(this.#orFail(this.#greeted.promise), { timeoutMs, what, signal, clock });
  }

  /**
   * One command, one answer. It is sent at once, and done after all that were sent before: each answer
   * awaited would be a turn of two event loops. Raises PROCESS_FAILED when the hypervisor refuses,
   * TIMEOUT 5 s after it could have begun.
   */
  async execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.#negotiated ??= this.#send("qmp_capabilities");
    const [, answer] = await Promise.all([this.#negotiated, this.#send(command, args)]);
    return answer;
  }

  /** Calls it with each event from now on, until what this gives back is called. */
  onEvent(listener: (event: string, data: unknown) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Rejects when the channel closed. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  async #send(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    const id = this.#nextId++;
    const answer: Deferred<unknown> = createDeferred();
    this.#waiting.set(id, answer);
    this.#channel.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    answer.promise.catch(() => undefined); // awaited below, once there is somebody to answer
    const what = `the hypervisor's answer to ${command}`;
    try {
      await this.#orFail(this.#greeted.promise);
      return await withDeadline(this.#orFail(answer.promise), {
        timeoutMs: answerTimeoutMs,
        what,
        clock: this.#clock,
      });
    } finally {
      this.#waiting.delete(id);
    }
  }

  #orFail<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#failed.promise]);
  }

  #read(text: string): void {
    const [first = "", ...rest] = text.split("\n");
    this.#partial += first;
    for (const next of rest) {
      const line = this.#partial;
      this.#partial = next;
      if (line.trim() !== "") this.#take(line);
      if (this.#channel.destroyed) return;
    }
    if (this.#partial.length > lineBytesMax) this.#fail("the hypervisor sent a line without end");
  }

  #take(line: string): void {
    const message = parseMessage(line);
    if (message === undefined) {
      this.#fail("the hypervisor sent a line that is not its protocol");
      return;
    }
    if (message.QMP !== undefined) this.#greeted.resolve(undefined);
    const { event } = message;
    if (event !== undefined) for (const listener of this.#listeners) listener(event, message.data);
    const waiting = message.id === undefined ? undefined : this.#waiting.get(message.id);
    if (waiting === undefined) return; // an event, or an answer that came too late
    if (message.error === undefined) waiting.resolve(message.return);
    else {
      const { class: kind, desc } = message.error;
      waiting.reject(
        new LuminaGuardError("PROCESS_FAILED", `the hypervisor refused: ${desc}`, {
          details: { kind },
        }),
      );
    }
  }

  #fail(reason: string): void {
    this.#failed.reject(new LuminaGuardError("PROCESS_FAILED", reason));
    this.#channel.destroy();
  }
}

function parseMessage(line: string): Message | undefined {
  try {
    const parsed = v.safeParse(messageSchema, JSON.parse(line));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined; // not JSON: the caller gives the channel up
  }
}
