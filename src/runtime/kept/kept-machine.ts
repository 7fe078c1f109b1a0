/**
 * A machine that outlives a command, as a program sees it that did not start it: its supervisor's
 * socket speaks as its guest does. Leaving it ends what was started over it and nothing else.
 */
import type { Duplex } from "node:stream";
import { isLuminaGuardError, LuminaGuardError } from "../../errors.ts";
import type { Save } from "../../vm/hypervisor.ts";
import type { Kept } from "../../vm/kept/kept-store.ts";
import { findDoubt } from "../../vm/migration/doubt.ts";
import { readJournal } from "../../vm/migration/journal.ts";
import { connectUnblocked } from "../../wire/unblocked-socket.ts";
import { WireClient } from "../../wire/wire-client.ts";
import { ExecHandle } from "../exec-handle.ts";
import type { ExecOptions } from "../exec-handle.ts";
import { endedBySave } from "../machine.ts";
import { filesOf } from "../machine-files.ts";
import type { MachineFiles } from "../machine-files.ts";
import { SupervisorClient } from "./supervisor-client.ts";
import type { SupervisorStatus } from "./supervisor-protocol.ts";

interface SignalOption {
  readonly signal?: AbortSignal | undefined;
}

/** longest wait for a supervisor to take a connection, in `ms` */
const connectTimeoutMs = 5_000;
/** longest wait for a supervisor that is asked whether its machine runs, in `ms` */
const statusTimeoutMs = 5_000;

export class KeptMachine implements Disposable {
  readonly kept: Kept;
  /** a command is what it is: the image's entrypoint began with the machine, if at all */
  readonly container: undefined;
  readonly files: MachineFiles;
  readonly #wire: WireClient;
  readonly #supervisor: SupervisorClient;

  private constructor(kept: Kept, wire: WireClient, supervisor: SupervisorClient) {
    this.kept = kept;
    this.#wire = wire;
    this.#supervisor = supervisor;
    this.files = filesOf(() => wire, kept.run?.image?.user);
  }

  /** Raises VM_STATE when it does not run, VM_GONE when its supervisor does not answer. */
  static async attach(
    kept: Kept,
    socketPath: string,
    { signal }: SignalOption = {},
  ): Promise<KeptMachine> {
    const { name } = kept.record;
    await requireHere(kept);
    if (kept.state !== "running") {
      throw new LuminaGuardError("VM_STATE", `machine ${name} does not run: it is ${kept.state}`, {
        hint:
          kept.state === "failed"
            ? `luminaguard vm restore ${name}  brings back its last checkpoint`
            : `luminaguard vm restart ${name}  starts it again`,
      });
    }
    try {
      const place = (): Duplex => connectUnblocked(socketPath);
      const wire = await WireClient.connect(place, { signal, timeoutMs: connectTimeoutMs });
      return new KeptMachine(kept, wire, new SupervisorClient(wire));
    } catch (cause) {
      if (!isLuminaGuardError(cause, "TIMEOUT")) throw cause;
      throw new LuminaGuardError("VM_GONE", `the supervisor of machine ${name} does not answer`, {
        hint: `luminaguard vm stop ${name}  ends it`,
        cause,
      });
    }
  }

  get name(): string {
    return this.kept.record.name;
  }

  /** id of the machine of this run */
  get id(): string {
    return this.kept.run?.machine ?? this.kept.record.id;
  }

  /** Runs a command: an array, never parsed by a shell. */
  exec(argv: readonly string[], options: ExecOptions = {}): ExecHandle {
    const { env, timeoutMs, stdin, tty, signal } = options;
    const { record, run } = this.kept;
    const home = record.workspace === null ? run?.image?.workdir : undefined;
    const start = {
      ...{ argv, timeoutMs, tty },
      cwd: options.cwd ?? home ?? "/workspace",
      user: options.user ?? run?.image?.user,
      env: { ...run?.image?.env, ...record.env, ...env },
      stdin: stdin !== undefined,
    };
    const command = this.#wire.exec(start, { signal });
    return new ExecHandle(command, options, (error) => this.#explain(error));
  }

  /** A byte stream to a port inside the machine. */
  connect(port: number, options: SignalOption = {}): Promise<Duplex> {
    return this.#wire.connectPort(port, "127.0.0.1", options);
  }

  status(options: SignalOption = {}): Promise<SupervisorStatus> {
    return this.#supervisor.status(options);
  }

  /** Writes the machine as it is now into an empty private folder; it stands still meanwhile. */
  save(folder: string, options: SignalOption = {}): Promise<Save> {
    return this.#supervisor.save(folder, options);
  }

  /** Ends the machine and its supervisor. */
  stop(options: SignalOption = {}): Promise<void> {
    return this.#supervisor.stop(options);
  }

  [Symbol.dispose](): void {
    this.#wire.close();
  }

  async #explain(error: unknown): Promise<unknown> {
    if (!isLuminaGuardError(error, "WIRE_BROKEN")) return error;
    const moved = await requireHere(this.kept, error).catch((reason: unknown) => reason);
    if (moved !== undefined) return moved;
    const isHeld = await this.status({ signal: AbortSignal.timeout(statusTimeoutMs) }).then(
      () => true,
      () => false,
    );
    if (isHeld) return endedBySave(this.name, error);
    return new LuminaGuardError("VM_GONE", `machine ${this.name} ended`, {
      hint: `luminaguard vm ls  says why`,
      cause: error,
    });
  }
}

/** Raises VM_MOVED when it went to another host, MIGRATION_IN_DOUBT when it may have. */
async function requireHere({ folder, record, run, state }: Kept, cause?: unknown): Promise<void> {
  const journal = await readJournal(folder);
  if (journal?.role !== "sender") return;
  const { name } = record;
  const { phase, to } = journal;
  if (phase === "gone" && run?.startedAt !== undefined && run.startedAt < journal.since) {
    throw new LuminaGuardError("VM_MOVED", `machine ${name} went to ${to}`, {
      hint: `it is used there; luminaguard vm rm ${name}  forgets it here`,
      details: { to },
      cause,
    });
  }
  if (phase !== "given") return;
  const doubt = await findDoubt(folder, record, state);
  throw new LuminaGuardError("MIGRATION_IN_DOUBT", `machine ${name}: ${doubt?.why ?? "it moves"}`, {
    ...(doubt !== null && { hint: doubt.hint }),
    details: { to },
    cause,
  });
}
