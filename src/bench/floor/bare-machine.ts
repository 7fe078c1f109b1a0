/**
 * A QEMU process without walls, with the one-byte agent inside: the least a machine can cost.
 * Arguments, control channel and thaw are the ones every machine has; the walls, the wire's protocol
 * and the guest agent are what is missing. bench/floor-agent.c says what it answers.
 */
import { once } from "node:events";
import net from "node:net";
import { withDeadline } from "../../base/deadline.ts";
import { createDeferred } from "../../base/deferred.ts";
import { LuminaGuardError } from "../../errors.ts";
import { startChild } from "../../process/child.ts";
import type { Child } from "../../process/child.ts";
import { identifyProcess } from "../../process/process-identity.ts";
import { buildQemuArgs } from "../../vm/backends/qemu/qemu-args.ts";
import type { Accelerator, Architecture, RamFile } from "../../vm/backends/qemu/qemu-args.ts";
import { freeze, thaw } from "../../vm/backends/qemu/freeze.ts";
import { QmpClient } from "../../vm/backends/qemu/qmp.ts";
import { createMachineFolder } from "../../vm/register/machine-folder.ts";
import type { MachineFolder } from "../../vm/register/machine-folder.ts";
import type { VmSpec } from "../../vm/spec.ts";

export interface BareStart {
  readonly binary: string;
  readonly accelerator: Accelerator;
  readonly architecture: Architecture;
  readonly runtimeDir: string;
  readonly tscKhz?: number | undefined;
  readonly spec: VmSpec;
  readonly ram?: RamFile | undefined;
  /** device state of a frozen machine, which this one becomes */
  readonly state?: Buffer | undefined;
}

const answerTimeoutMs = 60_000;
/** the agent sees within a millisecond that its host left */
const partMs = 100;

export class BareMachine implements AsyncDisposable {
  /** just before the process was started, on the clock of `performance.now` */
  readonly startedAt: number;
  readonly #child: Child;
  readonly #folder: MachineFolder;
  readonly #control: QmpClient;
  readonly #wire: net.Socket;
  readonly #recorded: Promise<void>;

  private constructor(
    startedAt: number,
    child: Child,
    folder: MachineFolder,
    control: QmpClient,
    wire: net.Socket,
    recorded: Promise<void>,
  ) {
    this.startedAt = startedAt;
    this.#child = child;
    this.#folder = folder;
    this.#control = control;
    this.#wire = wire;
    this.#recorded = recorded;
  }

  /** Resolves when the wire can be spoken on; the machine may still be booting. */
  static async start(start: BareStart): Promise<BareMachine> {
    const { accelerator, architecture, tscKhz, spec, ram, state } = start;
    // the record lets the next start end this machine when this process is killed
    const folder = await createMachineFolder(start.runtimeDir, false);
    const wirePath = `${folder.path}/wire.sock`;
    const incoming = state !== undefined;
    const args = buildQemuArgs({
      spec,
      accelerator,
      architecture,
      tscKhz,
      wirePath,
      ram,
      incoming,
    });
    const startedAt = performance.now();
    const child = await startChild(start.binary, args, { channels: 4 });
    const recorded = record(child.pid, folder);
    const [, channel, , stateChannel] = child.channels;
    if (channel === undefined || stateChannel === undefined) {
      throw new Error("four channels were asked for");
    }
    const control = new QmpClient(channel);
    try {
      const thawing = state === undefined ? undefined : thaw(control, stateChannel, state);
      await Promise.all([control.ready(10_000), thawing]);
    } catch (error) {
      await end(child, folder, recorded);
      throw error;
    }
    const wire = net.connect(wirePath);
    wire.on("error", () => undefined); // whoever waits for an answer hears of it
    return new BareMachine(startedAt, child, folder, control, wire, recorded);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends an order and reads `bytes` of answer. */
  async ask(order: Buffer | string, bytes: number, signal?: AbortSignal): Promise<Buffer> {
    const answer = collect(this.#wire, bytes);
    this.#wire.write(order);
    const what = "the floor's answer";
    return withDeadline(answer, { timeoutMs: answerTimeoutMs, what, signal });
  }

  /** Runs `echo` in the machine and waits for its output. */
  async echo(signal?: AbortSignal): Promise<void> {
    const output = await this.ask("e", 3, signal);
    if (output.toString("latin1") === "ok\n") return;
    throw new LuminaGuardError("WIRE_BROKEN", "the floor's echo gave something else");
  }

  /** Leaves the wire and freezes the machine, which stays stopped: its device state. */
  async freeze(signal?: AbortSignal): Promise<Buffer> {
    this.#wire.destroy();
    await new Promise((resolve) => setTimeout(resolve, partMs));
    return freeze(this.#control, `${this.#folder.path}/state.sock`, signal);
  }

  async stop(): Promise<void> {
    this.#wire.destroy();
    await end(this.#child, this.#folder, this.#recorded);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

async function record(pid: number, folder: MachineFolder): Promise<void> {
  const identity = await identifyProcess(pid);
  if (identity !== undefined) await folder.recordProcess(identity);
}

async function end(child: Child, folder: MachineFolder, recorded: Promise<void>): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
  await recorded.catch(() => undefined); // the folder goes now
  for (const channel of child.channels) channel.destroy();
  await folder.remove();
}

/** The next `bytes` bytes, of which the first 4 KiB are kept. */
async function collect(wire: net.Socket, bytes: number): Promise<Buffer> {
  const done = createDeferred<Buffer>();
  const head: Buffer[] = [];
  let [kept, got] = [0, 0];
  const onData = (chunk: Buffer): void => {
    if (kept < 4096) {
      head.push(chunk);
      kept += chunk.length;
    }
    got += chunk.length;
    if (got >= bytes) done.resolve(Buffer.concat(head));
  };
  const over = new AbortController();
  const closed = once(wire, "close", { signal: over.signal }).then(
    () => done.reject(new LuminaGuardError("WIRE_BROKEN", "the floor's machine closed its wire")),
    () => undefined, // answered first
  );
  wire.on("data", onData);
  try {
    return await done.promise;
  } finally {
    wire.off("data", onData);
    over.abort();
    await closed;
  }
}
