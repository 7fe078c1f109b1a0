/**
 * The program of a supervisor: holds one machine that outlives a command, and serves it on a socket.
 * Started with the machine's folder as its argument. It ends with its machine, and its machine with it:
 * the kernel sees to that when it is killed.
 */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { withDeadline } from "../../base/deadline.ts";
import { createDeferred } from "../../base/deferred.ts";
import { identifySelf } from "../../process/process-identity.ts";
import { KeptStore } from "../../vm/kept/kept-store.ts";
import { readKeptRecord, writeKeptRun } from "../../vm/kept/kept-record.ts";
import type { KeptImage, KeptRecord, KeptRun } from "../../vm/kept/kept-record.ts";
import { findArrival } from "../../vm/migration/arrival.ts";
import { LuminaGuard } from "../luminaguard.ts";
import type { Machine } from "../machine.ts";
import { SupervisorMoves } from "../migration/supervisor-moves.ts";
import { KeptLog } from "./kept-log.ts";
import { launchName, toPlainError } from "./supervisor-protocol.ts";
import type { Launch, StartLine } from "./supervisor-protocol.ts";
import { serveSupervisor } from "./supervisor-server.ts";

/** time a machine gets to end by itself, in `ms` */
const graceMs = 2_000;
/** whoever started it for a machine from elsewhere connects the two, in `ms` */
const arrivingTimeoutMs = 30_000;

async function main(folder: string): Promise<void> {
  const launch = await takeLaunch(folder);
  const record = await readKeptRecord(folder);
  if (record === undefined) throw new Error(`${folder} has no record of a machine`);
  const store = new KeptStore(launch.config.stateDir, launch.config.runtimeDir);
  await using _claim = await store.claimRun({ folder, record });
  await using lumina = new LuminaGuard({ ...launch, dryRun: false });
  await new Supervisor({ folder, record, launch, store, lumina }).run();
}

/** It holds where things are, and nothing that is needed twice. */
async function takeLaunch(folder: string): Promise<Launch> {
  const path = join(folder, launchName);
  const launch = JSON.parse(await readFile(path, "utf8")) as Launch;
  await rm(path, { force: true });
  return launch;
}

interface SupervisorParts {
  readonly folder: string;
  readonly record: KeptRecord;
  readonly launch: Launch;
  readonly store: KeptStore;
  readonly lumina: LuminaGuard;
}

class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #log: KeptLog;
  readonly #memoryFolder: string;
  readonly #over = new AbortController();
  readonly #moves: SupervisorMoves;
  #run: KeptRun;
  #machine: Machine | undefined;
  /** where the machine went */
  #movedTo: string | undefined;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    const { folder, launch, store } = parts;
    this.#log = new KeptLog(folder);
    this.#memoryFolder = store.memoryFolder({ folder });
    this.#moves = new SupervisorMoves({
      ...{ folder, memoryFolder: this.#memoryFolder, record: parts.record },
      ...{ stateDir: launch.config.stateDir, runtimeDir: launch.config.runtimeDir },
      onGone: (to) => {
        this.#movedTo = to;
        void this.#machine?.stop();
      },
      note: (what, facts) => this.#note(what, facts),
    });
    this.#run = {
      supervisor: identifySelf(),
      machine: null,
      snapshot: launch.snapshot,
      startedAt: new Date().toISOString(),
    };
  }

  async run(): Promise<void> {
    for (const name of ["SIGTERM", "SIGINT"] as const) {
      process.on(name, () => this.#over.abort(new Error(`ended by ${name}`)));
    }
    process.on("SIGHUP", () => undefined); // the terminal that it was started from closed
    await writeKeptRun(this.#parts.folder, this.#run);
    const moves = await this.#moves.listen();
    try {
      await this.#runMachine();
    } finally {
      await moves.close();
    }
  }

  async #runMachine(): Promise<void> {
    let machine: Machine;
    try {
      machine = await this.#start();
    } catch (error) {
      await this.#moves.refuse(error);
      await this.#finish({ requested: false, reason: toPlainError(error).message });
      say({ kind: "failed", error: toPlainError(error) });
      return;
    }
    await this.#hold(machine);
  }

  async #start(): Promise<Machine> {
    const { record, launch, lumina } = this.#parts;
    // what a killed supervisor left
    await rm(this.#memoryFolder, { recursive: true, force: true });
    await mkdir(this.#memoryFolder, { mode: 0o700 });
    const { image, memoryMib, vcpus, env } = record;
    const wish = {
      ...{ image, memoryMib, vcpus, env, memoryFolder: this.#memoryFolder },
      onPhase: (phase: unknown) => say({ kind: "phase", phase }),
      signal: this.#over.signal,
    };
    if (launch.isArriving === true) {
      say({ kind: "listening" });
      const { arriving } = await withDeadline(this.#moves.arriving, {
        ...{ timeoutMs: arrivingTimeoutMs, what: "the machine's greeting" },
        signal: this.#over.signal,
      });
      return lumina.spawn({ ...wish, image: arriving.key.imageDigest, arriving });
    }
    if (launch.hasArrived === true) {
      const saved = await findArrival(this.#parts.folder);
      if (saved === undefined) throw new Error("nothing waits to go on");
      return lumina.spawn({ ...wish, image: saved.key.imageDigest, saved });
    }
    if (launch.snapshot === null) return lumina.spawn(wish);
    await using opened = await lumina.snapshots.store.open(launch.snapshot);
    return await lumina.spawn({ ...wish, image: opened.imageDigest, saved: opened.saved });
  }

  async #hold(machine: Machine): Promise<void> {
    const { folder, record, store } = this.#parts;
    const stopped = createDeferred<undefined>();
    const stop = async (): Promise<void> => {
      await machine.stop(graceMs);
      await stopped.promise;
    };
    const socketPath = store.socketPath(record);
    const server = await serveSupervisor({ socketPath, name: record.name, machine, stop });
    this.#run = { ...this.#run, machine: machine.id, image: imageOf(machine) };
    await writeKeptRun(folder, this.#run);
    const { backend, accelerator } = machine.facts;
    const on = `${backend}/${accelerator}`;
    const { kind: how, id, spawnTimeMs: ms } = machine;
    this.#machine = machine;
    await this.#moves.hold(machine);
    await this.#log.add("started", { machine: id, how, snapshot: this.#run.snapshot });
    this.#over.signal.addEventListener("abort", () => void machine.stop(graceMs));
    if (this.#over.signal.aborted) void machine.stop(graceMs);
    say({ kind: "ready", machine: id, how, ms, backend: on });
    const exit = await machine.exited;
    await this.#log.keepConsole(machine.consoleTail());
    const moved = this.#movedTo;
    await this.#finish(
      moved === undefined ? exit : { requested: true, reason: `it went to ${moved}` },
    );
    stopped.resolve(undefined);
    // whoever asked for the end hears of it before the socket goes
    await new Promise((resolve) => setImmediate(resolve));
    await server.close();
  }

  /** In the machine's own log, and in the audit. */
  async #note(what: string, facts: Readonly<Record<string, string>>): Promise<void> {
    await this.#log.add(what, facts);
    await this.#parts.lumina.recordMove(what, this.#parts.record.id, facts);
  }

  async #finish({ requested, reason }: { requested: boolean; reason: string }): Promise<void> {
    const { folder } = this.#parts;
    const at = new Date().toISOString();
    await rm(this.#memoryFolder, { recursive: true, force: true });
    await this.#log.add(requested ? "stopped" : "failed", { reason });
    await writeKeptRun(folder, { ...this.#run, ended: { requested, reason, at } });
  }
}

function imageOf({ container }: Machine): KeptImage | null {
  if (container === undefined) return null;
  const { env, user, workdir } = container;
  return { env, user, workdir };
}

function say(line: StartLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

process.stdout.on("error", () => undefined); // whoever started it has heard enough
const [, , folder = ""] = process.argv;
try {
  await main(folder);
} catch (error) {
  say({ kind: "failed", error: toPlainError(error) });
  process.exitCode = 1;
}
