/**
 * Change sets that wait to be applied. Each is a folder with its blobs, made under a working name and
 * published by one rename; kept for a while, bounded in number and size, the oldest dropped first.
 *
 *   <state>/changes/7K2M/set.json            <state>/changes/.draft-<process>/
 *   <state>/changes/7K2M/blobs/<sha256>
 */
import { randomInt } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { LuminaGuardError } from "../errors.ts";
import { ownedName, removeAbandoned } from "../process/owned-name.ts";
import { BlobFolder } from "./blob-folder.ts";
import { parseChangeSet } from "./change-set-schema.ts";
import type { ChangeSet, ChangeSetDraft } from "./change-set.ts";
import { errnoOf, toHostError } from "../base/host-error.ts";

const draftPrefix = ".draft-";

export interface ChangeStoreOptions {
  /** now in `ms` since 1970 @default Date.now */
  readonly now?: () => number;
  /** how long a set is kept in `ms` @default 7 days */
  readonly keepMs?: number;
  /** most sets @default 100 */
  readonly setsMax?: number;
  /** most content of all sets in `bytes` @default 1 GiB */
  readonly bytesMax?: number;
}

/** A set in the making: a folder for its blobs, then published or dropped. */
export interface ChangeDraft {
  readonly blobs: BlobFolder;
  readonly publish: (draft: ChangeSetDraft) => Promise<ChangeSet>;
  readonly drop: () => Promise<void>;
}

interface StoreCall {
  readonly signal?: AbortSignal | undefined;
}

const idAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const idPattern = /^[0-9A-HJKMNP-TV-Z]{4,8}$/;
/** tries for each length of an id before it gets longer */
const idTries = 16;

export class ChangeStore {
  readonly folder: string;
  readonly #now: () => number;
  readonly #keepMs: number;
  readonly #setsMax: number;
  readonly #bytesMax: number;

  constructor(stateDir: string, options: ChangeStoreOptions = {}) {
    this.folder = join(stateDir, "changes");
    this.#now = options.now ?? Date.now;
    this.#keepMs = options.keepMs ?? 7 * 24 * 3600 * 1000;
    this.#setsMax = options.setsMax ?? 100;
    this.#bytesMax = options.bytesMax ?? 1024 ** 3;
  }

  async draft(call: StoreCall = {}): Promise<ChangeDraft> {
    call.signal?.throwIfAborted();
    const folder = join(this.folder, ownedName(draftPrefix));
    await onHost(mkdir(join(folder, "blobs"), { recursive: true, mode: 0o700 }));
    return {
      blobs: new BlobFolder(join(folder, "blobs")),
      publish: (draft) => onHost(this.#publish(folder, draft)),
      drop: () => rm(folder, { recursive: true, force: true }),
    };
  }

  async #publish(folder: string, draft: ChangeSetDraft): Promise<ChangeSet> {
    const now = this.#now();
    for (let length = 4; length <= 8; length++) {
      for (let tries = 0; tries < idTries; tries++) {
        const set: ChangeSet = {
          version: 1,
          id: createId(length),
          createdAt: new Date(now).toISOString(),
          expiresAt: new Date(now + this.#keepMs).toISOString(),
          ...draft,
        };
        await writeFileAtomic(join(folder, "set.json"), JSON.stringify(set));
        if (!(await renameToFree(folder, join(this.folder, set.id)))) continue;
        await this.#prune(set.id);
        return set;
      }
    }
    throw new LuminaGuardError("HOST_LIMIT", "no free id for a change set", {
      hint: "drop some with luminaguard changes rm",
    });
  }

  /** All sets that have not expired, the newest first. */
  async list(call: StoreCall = {}): Promise<readonly ChangeSet[]> {
    const sets: ChangeSet[] = [];
    for (const id of await this.#ids()) {
      call.signal?.throwIfAborted();
      const set = await this.#read(id);
      if (set !== undefined && !this.#isExpired(set)) sets.push(set);
    }
    return sets.sort((one, other) => other.createdAt.localeCompare(one.createdAt));
  }

  /** The set of that id as a person types it; CHANGES_NOT_FOUND when there is none. */
  async get(id: string, call: StoreCall = {}): Promise<ChangeSet> {
    call.signal?.throwIfAborted();
    const set = await this.#read(normaliseId(id));
    if (set === undefined || this.#isExpired(set)) throw notFound(id);
    return set;
  }

  blobs(id: string): BlobFolder {
    return new BlobFolder(join(this.folder, normaliseId(id), "blobs"));
  }

  /** Puts a smaller set in the place of one that is kept, or removes it when nothing is left. */
  async settle(set: ChangeSet, call: StoreCall = {}): Promise<void> {
    call.signal?.throwIfAborted();
    if (set.changes.length === 0) return this.remove(set.id);
    await onHost(writeFileAtomic(join(this.folder, set.id, "set.json"), JSON.stringify(set)));
  }

  async remove(id: string, call: StoreCall = {}): Promise<void> {
    call.signal?.throwIfAborted();
    const name = normaliseId(id);
    const gone = join(this.folder, ownedName(draftPrefix));
    if (!(await renameToFree(join(this.folder, name), gone))) throw notFound(id);
    await rm(gone, { recursive: true, force: true });
  }

  /** Drops what killed processes left half made. */
  clearDrafts(): Promise<void> {
    return removeAbandoned(this.folder, [draftPrefix]);
  }

  /** Drops what has expired, what is over the bounds and what a killed process left half made. */
  async prune(call: StoreCall = {}): Promise<void> {
    call.signal?.throwIfAborted();
    await this.#prune();
  }

  async #prune(spared?: string): Promise<void> {
    await this.clearDrafts();
    const kept: { set: ChangeSet; bytes: number }[] = [];
    for (const id of await this.#ids()) {
      const set = await this.#read(id);
      if (set === undefined || this.#isExpired(set)) await this.#drop(id);
      else kept.push({ set, bytes: await sizeOf(join(this.folder, id, "blobs")) });
    }
    kept.sort((one, other) => one.set.createdAt.localeCompare(other.set.createdAt));
    let bytes = kept.reduce((sum, { bytes }) => sum + bytes, 0);
    let count = kept.length;
    for (const { set, bytes: own } of kept) {
      if (count <= this.#setsMax && bytes <= this.#bytesMax) break;
      if (set.id === spared) continue;
      await this.#drop(set.id);
      bytes -= own;
      count -= 1;
    }
  }

  async #drop(id: string): Promise<void> {
    // another process may have dropped it first: the aim is reached
    await this.remove(id).catch(() => undefined);
  }

  async #read(id: string): Promise<ChangeSet | undefined> {
    const text = await readFile(join(this.folder, id, "set.json"), "utf8").catch(() => undefined);
    const set = text === undefined ? undefined : parseChangeSet(text);
    return set?.id === id ? set : undefined;
  }

  async #ids(): Promise<readonly string[]> {
    return (await this.#names()).filter((name) => idPattern.test(name));
  }

  async #names(): Promise<readonly string[]> {
    // before the first set there is no folder
    return (await readdir(this.folder).catch((): string[] => [])).sort();
  }

  #isExpired(set: ChangeSet): boolean {
    return Date.parse(set.expiresAt) <= this.#now();
  }
}

function createId(length: number): string {
  return Array.from({ length }, () => idAlphabet[randomInt(idAlphabet.length)]).join("");
}

/** Crockford's reading: case does not count, O is 0, I and L are 1. Anything else cannot be an id. */
function normaliseId(id: string): string {
  const name = id.trim().toUpperCase().replace(/O/g, "0").replace(/[IL]/g, "1");
  if (!idPattern.test(name)) throw notFound(id);
  return name;
}

function notFound(id: string): LuminaGuardError {
  return new LuminaGuardError("CHANGES_NOT_FOUND", `no change set "${id}"`, {
    hint: "luminaguard changes ls  shows what is kept; a set is kept for 7 days",
  });
}

/** Renames unless the new name is taken or the old one is not there. */
async function renameToFree(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    const code = errnoOf(error) ?? "";
    if (["ENOTEMPTY", "EEXIST", "ENOENT", "EPERM"].includes(code)) return false;
    throw error;
  }
}

async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder).catch((): string[] => [])) {
    bytes += (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}

async function onHost<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toHostError(error, "the change set could not be kept");
  }
}
