/**
 * Machines that outlive a command, each a folder named by its name, which is claimed by making it:
 *
 *   <machines>/<name>/machine.json   what it is
 *   <machines>/<name>/run.json       how its latest run goes
 *   <machines>/<name>/lock/          held by its supervisor for as long as that lives
 *   <machines>/<name>/memory/        the running machine's memory
 *   <machines>/<name>/…              what whoever uses this keeps of it
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { toHostError } from "../../base/host-error.ts";
import { renderDidYouMean } from "../../base/nearest.ts";
import { makePrivateFolder } from "../../base/private-folder.ts";
import { LuminaGuardError } from "../../errors.ts";
import { ownedName, removeAbandoned } from "../../process/owned-name.ts";
import { isRunning } from "../../process/process-identity.ts";
import { tryTakeLock } from "../../process/process-lock.ts";
import type { ProcessLock } from "../../process/process-lock.ts";
import { readKeptRecord, readKeptRun, writeKeptRecord, writeKeptRun } from "./kept-record.ts";
import type { KeptRecord, KeptRun } from "./kept-record.ts";
import { findDoubt } from "../migration/doubt.ts";
import type { Doubt } from "../migration/doubt.ts";
import { machineSocketPath, removeSockets } from "./socket-paths.ts";

export type KeptState = "new" | "starting" | "running" | "stopped" | "failed";

export interface Kept {
  readonly folder: string;
  readonly record: KeptRecord;
  readonly run: KeptRun | undefined;
  readonly state: KeptState;
  /** why it ended or failed, for a person; null while it runs */
  readonly reason: string | null;
  /** a move that a person has to decide; null: none */
  readonly doubt: Doubt | null;
}

const droppedPrefix = ".dropped-";
/** a folder without a record is being made, or was left in that instant */
const madeWithinMs = 10_000;
const namePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

export class KeptStore {
  readonly #folder: string;
  readonly #runtimeDir: string;

  constructor(stateDir: string, runtimeDir: string) {
    this.#folder = join(stateDir, "machines");
    this.#runtimeDir = runtimeDir;
  }

  /** Claims the name. Raises MACHINE_EXISTS, USAGE for what is no name, HOST_LIMIT. */
  async create(wish: Omit<KeptRecord, "version" | "id" | "createdAt">): Promise<Kept> {
    requireName(wish.name);
    const folder = join(this.#folder, wish.name);
    try {
      await makePrivateFolder(this.#folder);
      await mkdir(folder, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw toHostError(error, "a machine's folder cannot be made");
      }
      throw new LuminaGuardError("MACHINE_EXISTS", `there is a machine "${wish.name}" already`, {
        hint: `choose another name, or take it away: luminaguard vm rm ${wish.name}`,
      });
    }
    const id = `m-${randomBytes(3).toString("hex")}`;
    const record: KeptRecord = { ...wish, version: 1, id, createdAt: new Date().toISOString() };
    try {
      await writeKeptRecord(folder, record);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw toHostError(error, "a machine cannot be written down");
    }
    return { folder, record, run: undefined, state: "new", reason: null, doubt: null };
  }

  /** Changes what is said of it now; a machine that was taken away meanwhile stays so. */
  async update(
    { folder }: Kept,
    change: Partial<Pick<KeptRecord, "checkpoint" | "parent">>,
  ): Promise<void> {
    const record = await readKeptRecord(folder);
    if (record !== undefined) await writeKeptRecord(folder, { ...record, ...change });
  }

  /** Every machine, by name. */
  async list(): Promise<readonly Kept[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const found = await Promise.all(
      names
        .filter((name) => namePattern.test(name))
        .sort()
        .map((name) => this.#read(name)),
    );
    return found.filter((kept) => kept !== undefined);
  }

  /** By name, by id, or by the id of the machine that runs. Raises MACHINE_NOT_FOUND. */
  async find(word: string): Promise<Kept> {
    const all = await this.list();
    const found =
      all.find(({ record }) => record.name === word) ??
      all.find(({ record, run }) => record.id === word || run?.machine === word);
    if (found !== undefined) return found;
    const names = all.flatMap(({ record }) => [record.name, record.id]);
    throw new LuminaGuardError("MACHINE_NOT_FOUND", `there is no machine ${word}`, {
      hint: renderDidYouMean(word, names) ?? "luminaguard vm ls  lists them",
    });
  }

  /** The right to run it; whoever has it is its supervisor. Raises VM_STATE when it is held. */
  async claimRun({ folder, record }: Pick<Kept, "folder" | "record">): Promise<ProcessLock> {
    const lock = await tryTakeLock(join(folder, "lock"), { timeoutMs: 0 });
    if (lock !== undefined) return lock;
    throw new LuminaGuardError("VM_STATE", `machine ${record.name} runs already`, {
      hint: `luminaguard vm stop ${record.name}  ends it`,
    });
  }

  /** Takes its folder away. Its supervisor has to be gone. */
  async remove({ folder, record }: Kept): Promise<void> {
    const away = join(this.#folder, ownedName(droppedPrefix));
    await rename(folder, away).catch((error: unknown) => {
      throw toHostError(error, `machine ${record.name} cannot be removed`);
    });
    await removeSockets(this.#runtimeDir, record.id);
    await rm(away, { recursive: true, force: true });
  }

  /** Where its supervisor listens. */
  socketPath({ id }: Pick<KeptRecord, "id">): string {
    return machineSocketPath(this.#runtimeDir, id);
  }

  memoryFolder({ folder }: Pick<Kept, "folder">): string {
    return join(folder, "memory");
  }

  /** Clears up after supervisors that were killed: their machines died with them. */
  async reap(): Promise<void> {
    await removeAbandoned(this.#folder, [droppedPrefix]);
    for (const name of await readdir(this.#folder).catch(() => [])) {
      if (!namePattern.test(name)) continue;
      const kept = await this.#read(name).catch(() => undefined);
      if (kept === undefined) await this.#clearHalfMade(join(this.#folder, name));
      else if (kept.run !== undefined && kept.run.ended === undefined) await this.#bury(kept);
    }
  }

  async #bury(kept: Kept): Promise<void> {
    if (kept.run === undefined || (await isRunning(kept.run.supervisor))) return;
    // somebody may be starting it again at this moment
    const lock = await tryTakeLock(join(kept.folder, "lock"), { timeoutMs: 0 });
    if (lock === undefined) return;
    try {
      const run = await readKeptRun(kept.folder);
      if (run === undefined || run.ended !== undefined) return;
      await rm(this.memoryFolder(kept), { recursive: true, force: true });
      await removeSockets(this.#runtimeDir, kept.record.id);
      const ended = { requested: false, reason: killedReason, at: new Date().toISOString() };
      await writeKeptRun(kept.folder, { ...run, ended });
    } finally {
      await lock.release();
    }
  }

  async #clearHalfMade(folder: string): Promise<void> {
    const found = await stat(folder).catch(() => undefined);
    if (found === undefined || Date.now() - found.ctimeMs < madeWithinMs) return;
    if ((await readKeptRecord(folder).catch(() => null)) !== undefined) return;
    await rm(folder, { recursive: true, force: true });
  }

  async #read(name: string): Promise<Kept | undefined> {
    const folder = join(this.#folder, name);
    const record = await readKeptRecord(folder);
    if (record === undefined) return undefined;
    const run = await readKeptRun(folder);
    const judged = await judge(run);
    return { folder, record, run, ...judged, doubt: await findDoubt(folder, record, judged.state) };
  }
}

const killedReason = "its supervisor was killed, and the machine with it";

async function judge(run: KeptRun | undefined): Promise<Pick<Kept, "state" | "reason">> {
  if (run === undefined) return { state: "new", reason: null };
  const { ended, machine, supervisor } = run;
  if (ended !== undefined) {
    return { state: ended.requested ? "stopped" : "failed", reason: ended.reason };
  }
  if (!(await isRunning(supervisor))) return { state: "failed", reason: killedReason };
  return { state: machine === null ? "starting" : "running", reason: null };
}

/** Raises USAGE. */
export function requireName(name: string): void {
  if (namePattern.test(name)) return;
  throw new LuminaGuardError("USAGE", `"${name}" is no name for a machine`, {
    hint: "use up to 63 of a-z, 0-9, dot, dash and underscore, with a letter or digit first",
  });
}
