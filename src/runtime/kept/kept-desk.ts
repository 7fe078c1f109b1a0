/**
 * The machines that outlive a command: started, found, spoken to, saved, forked, brought back and taken
 * away. Each is held by a supervisor, a process of its own; nothing here needs it to be alive.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { packageRoot } from "../../base/package-root.ts";
import { toHostError } from "../../base/host-error.ts";
import type { Config } from "../../config/config.ts";
import { LuminaGuardError } from "../../errors.ts";
import { killProcess } from "../../process/child.ts";
import { isRunning } from "../../process/process-identity.ts";
import { startDaemon } from "../../process/start-daemon.ts";
import type { CheckpointRule, KeptRecord } from "../../vm/kept/kept-record.ts";
import { KeptStore } from "../../vm/kept/kept-store.ts";
import type { Kept } from "../../vm/kept/kept-store.ts";
import { sessionEnvironment } from "../session-environment.ts";
import type { SpawnOptions } from "../spawn-options.ts";
import type { WorkspaceFacts } from "../workspace-exchange.ts";
import { KeptLog } from "./kept-log.ts";
import type { KeptEvent } from "./kept-log.ts";
import { KeptMachine } from "./kept-machine.ts";
import { requireDecided } from "./require-decided.ts";
import { sendWorkspace } from "./kept-workspace.ts";
import { fromPlainError, launchName, startLineSchema } from "./supervisor-protocol.ts";
import type { Launch, Ready } from "./supervisor-protocol.ts";

export interface KeptDeskParts {
  readonly config: Config;
  readonly toolEnvironment: Readonly<Record<string, string>>;
}

export interface StartWish extends Pick<SpawnOptions, "image" | "memoryMib" | "vcpus" | "env"> {
  /** @default one is made up */
  readonly name?: string | undefined;
  /** the folder a copy of which is to be in it */
  readonly workspace?: KeptRecord["workspace"] | undefined;
  readonly checkpoint?: CheckpointRule | undefined;
}

export interface StartOptions extends Pick<SpawnOptions, "onPhase" | "signal"> {
  /** id of the snapshot that the run goes on from */
  readonly snapshot?: string | undefined;
  /** all of it came from another host, and waits in its folder @default false */
  readonly hasArrived?: boolean | undefined;
  /** done with a new machine's folder before it starts */
  readonly prepare?: ((kept: Kept) => Promise<void>) | undefined;
}

export interface Started extends Ready {
  readonly kept: Kept;
  /** what of the workspace went in; absent without one */
  readonly sent?: WorkspaceFacts | undefined;
}

const program = fileURLToPath(new URL("dist/program/hold-machine.js", packageRoot));
/** a first start builds an image */
const startTimeoutMs = 30 * 60_000;
/** from a request to end to the supervisor's end, in `ms` */
const endTimeoutMs = 10_000;

/** A supervisor is spoken to over a socket that only its user can open; a named pipe of Node is open to others. */
function refuseOnWindows(platform: NodeJS.Platform = process.platform): void {
  if (platform !== "win32") return;
  throw new LuminaGuardError(
    "HYPERVISOR_UNAVAILABLE",
    "machines that outlive a command are not offered on Windows",
    { hint: "luminaguard run and shell work there; in WSL2 all of it: docs/platforms.md#wsl2" },
  );
}

export class KeptDesk {
  readonly store: KeptStore;
  readonly #parts: KeptDeskParts;

  constructor(parts: KeptDeskParts) {
    this.#parts = parts;
    const { stateDir, runtimeDir } = parts.config;
    this.store = new KeptStore(stateDir, runtimeDir);
  }

  list(): Promise<readonly Kept[]> {
    return this.store.list();
  }

  /** By name or id. Raises MACHINE_NOT_FOUND. */
  find(word: string): Promise<Kept> {
    return this.store.find(word);
  }

  /** A new machine, running. Raises MACHINE_EXISTS, HYPERVISOR_UNAVAILABLE on Windows, and what a spawn raises, with nothing left behind. */
  async start(wish: StartWish, options: StartOptions = {}): Promise<Started> {
    refuseOnWindows();
    const { config } = this.#parts;
    const kept = await this.store.create({
      name: wish.name ?? (await this.#inventName()),
      image: wish.image ?? config.image,
      memoryMib: wish.memoryMib ?? config.memoryMib,
      vcpus: wish.vcpus ?? config.cpus,
      env: wish.env ?? {},
      workspace: wish.workspace ?? null,
      checkpoint: wish.checkpoint ?? "never",
      parent: options.snapshot ?? null,
    });
    try {
      await options.prepare?.(kept);
      return await this.#begin(kept, options);
    } catch (error) {
      await this.find(kept.record.name).then(
        (now) => this.stop(now),
        () => undefined,
      );
      await this.store.remove(kept).catch(() => undefined); // the reason why it failed says more
      throw error;
    }
  }

  /** Runs a machine that does not run, fresh, with its workspace sent anew. Raises VM_STATE when it does. */
  async restart(kept: Kept, options: Omit<StartOptions, "snapshot"> = {}): Promise<Started> {
    const started = await this.#begin(kept, options);
    await this.store.update(kept, { parent: null });
    return started;
  }

  async #begin(kept: Kept, options: StartOptions): Promise<Started> {
    const started = await this.run(kept, options);
    const { workspace } = kept.record;
    if (workspace === null || options.snapshot !== undefined) return started;
    using machine = await this.attach(started.kept, options);
    return { ...started, sent: await sendWorkspace(machine, workspace, options) };
  }

  /** Runs a machine that does not run. Raises VM_STATE when it does. */
  async run(kept: Kept, options: StartOptions = {}): Promise<Started> {
    if (kept.state === "running" || kept.state === "starting") {
      const { name } = kept.record;
      throw new LuminaGuardError("VM_STATE", `machine ${name} runs already`, {
        hint: `luminaguard vm stop ${name}  ends it`,
      });
    }
    const { snapshot = null, hasArrived = false, signal, onPhase } = options;
    if (!hasArrived) requireDecided(kept);
    const { config, toolEnvironment } = this.#parts;
    await this.#writeLaunch(kept, { config, toolEnvironment, snapshot, hasArrived });
    let ready: Ready | undefined;
    let failure: Error | undefined;
    const onLine = (line: string): boolean => {
      const said = v.safeParse(startLineSchema, parseJson(line));
      if (!said.success) return false;
      if (said.output.kind === "ready") ready = said.output;
      else if (said.output.kind === "failed") failure = fromPlainError(said.output.error);
      else if (said.output.kind === "phase")
        onPhase?.(said.output.phase as Parameters<NonNullable<typeof onPhase>>[0]);
      return said.output.kind !== "phase";
    };
    await startDaemon([program, kept.folder], {
      ...{ onLine, signal, timeoutMs: startTimeoutMs },
      logPath: join(kept.folder, "supervisor.log"),
      env: { ...toolEnvironment, ...sessionEnvironment() },
    });
    if (ready !== undefined) return { ...ready, kept: await this.store.find(kept.record.name) };
    throw (
      failure ?? new LuminaGuardError("PROCESS_FAILED", "the supervisor did not say how it went")
    );
  }

  /** Raises VM_STATE or VM_GONE. */
  attach(kept: Kept, options: Pick<SpawnOptions, "signal"> = {}): Promise<KeptMachine> {
    return KeptMachine.attach(kept, this.store.socketPath(kept.record), options);
  }

  /** Ends it: asked first, then taken. One that does not run stays as it is. */
  async stop(kept: Kept): Promise<void> {
    const { run } = kept;
    if (run === undefined || !(await isRunning(run.supervisor))) return;
    await this.#ask(kept);
    const endsAt = performance.now() + endTimeoutMs;
    while (await isRunning(run.supervisor)) {
      if (performance.now() > endsAt) {
        killProcess(run.supervisor.pid); // and the kernel its machine
        await this.store.reap();
        return;
      }
      // the end of a process that is not a child gives no event: it is looked at until its deadline
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async #ask(kept: Kept): Promise<void> {
    try {
      using machine = await this.attach(kept);
      const signal = AbortSignal.timeout(endTimeoutMs);
      await machine.stop({ signal });
    } catch {
      // it starts, it hangs, or it is gone: the signal reaches it all the same
      signalEnd(kept);
    }
  }

  /** Ends it and takes away all that is kept of it; its snapshots stay. */
  async remove(kept: Kept): Promise<void> {
    await this.stop(kept);
    await this.store.remove(kept);
  }

  /** What happened to it, and its console's last words. Hostile text. */
  async logs(
    kept: Kept,
  ): Promise<{ readonly events: readonly KeptEvent[]; readonly console: string }> {
    const log = new KeptLog(kept.folder);
    const console = await this.#liveConsole(kept).catch(() => log.readConsole());
    return { events: await log.list(), console };
  }

  async #liveConsole(kept: Kept): Promise<string> {
    using machine = await this.attach(kept);
    return (await machine.status()).console;
  }

  async #inventName(): Promise<string> {
    const taken = new Set((await this.list()).map(({ record }) => record.name));
    for (let number = 1; ; number += 1) {
      if (!taken.has(`machine-${number}`)) return `machine-${number}`;
    }
  }

  async #writeLaunch({ folder }: Kept, launch: Launch): Promise<void> {
    try {
      await writeFile(join(folder, launchName), JSON.stringify(launch), { mode: 0o600 });
    } catch (error) {
      throw toHostError(error, "a machine's start cannot be written down");
    }
  }
}

function signalEnd({ run }: Kept): void {
  try {
    if (run !== undefined) process.kill(run.supervisor.pid, "SIGTERM");
  } catch {
    // gone meanwhile
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
