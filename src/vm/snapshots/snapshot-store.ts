/**
 * Saved machines on disk, each a folder named by its id:
 *
 *   <snapshots>/<id>/manifest.json   the text whose SHA-256 is the id
 *   <snapshots>/<id>/…               the files that it lists, each with its own digest
 *   <snapshots>/verified/<id>.json   what the files looked like when they were last hashed
 *
 * A folder is published by one rename. Nothing of it is used before the manifest, and every file, was
 * found to be what was saved.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, toHostError } from "../../base/host-error.ts";
import { renderDidYouMean } from "../../base/nearest.ts";
import { makePrivateFolder } from "../../base/private-folder.ts";
import { LuminaGuardError } from "../../errors.ts";
import { ownedName, removeAbandoned } from "../../process/owned-name.ts";
import type { KeyPlace, SealingKey } from "../../process/sealing-key.ts";
import type { SavedMachine } from "../hypervisor.ts";
import { deriveFileKey, sealFile, unsealFile } from "./seal.ts";
import { chooseUnwanted } from "./retention.ts";
import type { SnapshotLimits } from "./retention.ts";
import { invalidSnapshot, parseManifest, shortId, writeManifest } from "./snapshot-manifest.ts";
import type { SnapshotFacts, SnapshotFile, SnapshotManifest } from "./snapshot-manifest.ts";
import { hashFile, lookOf, noteVerified, wereVerified } from "./verified-files.ts";

const draftPrefix = ".draft-";
const droppedPrefix = ".dropped-";
const openedPrefix = ".opened-";
const manifestName = "manifest.json";

export interface Snapshot {
  readonly id: string;
  readonly manifest: SnapshotManifest;
  /** room taken on disk in `bytes` */
  readonly bytes: number;
}

export interface SnapshotDraft {
  /** empty and private; what is put there is the snapshot */
  readonly folder: string;
  /**
   * Makes the draft a snapshot, and room for it.
   * @param isDurable it is on the disk when this resolves, and not only on its way there
   * @param key what its files are encrypted with @default they are not
   */
  readonly publish: (
    facts: SnapshotFacts,
    isDurable: boolean,
    key?: SealingKey,
  ) => Promise<Snapshot>;
  readonly discard: () => Promise<void>;
}

/** A snapshot whose every file was found to be what was saved. */
export interface OpenSnapshot extends AsyncDisposable {
  readonly id: string;
  readonly manifest: SnapshotManifest;
  readonly saved: SavedMachine;
  /** the image that the machine was booted from */
  readonly imageDigest: string;
}

export class SnapshotStore {
  readonly #folder: string;
  readonly #limits: SnapshotLimits;
  readonly #findKey: ((place: KeyPlace) => Promise<SealingKey>) | undefined;

  /** @param findKey the key that snapshots were sealed with, where there may be such */
  constructor(
    stateDir: string,
    limits: SnapshotLimits,
    findKey?: (place: KeyPlace) => Promise<SealingKey>,
  ) {
    this.#folder = join(stateDir, "snapshots");
    this.#limits = limits;
    this.#findKey = findKey;
  }

  /** Raises HOST_LIMIT. */
  async draft(): Promise<SnapshotDraft> {
    const folder = join(this.#folder, ownedName(draftPrefix));
    try {
      await makePrivateFolder(this.#folder);
      await mkdir(folder, { mode: 0o700 });
    } catch (error) {
      throw toHostError(error, "a snapshot cannot be made");
    }
    const discard = (): Promise<void> => rm(folder, { recursive: true, force: true });
    return {
      folder,
      publish: async (facts, isDurable, key) => {
        try {
          const seal = key === undefined ? null : await sealFolder(folder, key);
          return await this.#publish(folder, { ...facts, seal }, isDurable);
        } catch (error) {
          await discard();
          throw toHostError(error, "a snapshot cannot be kept");
        }
      },
      discard,
    };
  }

  /** Raises SNAPSHOT_NOT_FOUND, SNAPSHOT_INVALID, SNAPSHOT_MISMATCH or HOST_LIMIT. */
  async open(id: string, signal?: AbortSignal): Promise<OpenSnapshot> {
    const folder = join(this.#folder, id);
    const manifest = await this.#readManifest(id);
    await this.#verify(id, manifest, signal);
    const { key } = manifest;
    const plain = manifest.seal === null ? undefined : await this.#unseal(id, manifest);
    return {
      ...{ id, manifest, saved: { folder: plain ?? folder, key }, imageDigest: key.imageDigest },
      [Symbol.asyncDispose]: async () => {
        if (plain !== undefined) await rm(plain, { recursive: true, force: true });
      },
    };
  }

  /** Those whose manifest is what it was, oldest first. */
  async list(): Promise<readonly Snapshot[]> {
    const found = await Promise.all((await this.#ids()).map((id) => this.#summarize(id)));
    return found
      .filter((snapshot) => snapshot !== undefined)
      .sort((one, other) => (one.manifest.createdAt < other.manifest.createdAt ? -1 : 1));
  }

  /** By its name, its id or the beginning of that. Raises SNAPSHOT_NOT_FOUND. */
  async find(word: string): Promise<string> {
    const all = await this.list();
    const named = all.findLast(({ manifest }) => manifest.name === word);
    if (named !== undefined) return named.id;
    const begun = (await this.#ids()).filter((id) => word.length >= 4 && id.startsWith(word));
    const [id] = begun;
    if (id !== undefined && begun.length === 1) return id;
    const names = all.flatMap(({ id: one, manifest }) => [manifest.name ?? "", shortId(one)]);
    throw new LuminaGuardError("SNAPSHOT_NOT_FOUND", `there is no snapshot ${word}`, {
      hint: renderDidYouMean(word, names) ?? "luminaguard vm snapshot ls  lists them",
    });
  }

  async remove(id: string): Promise<void> {
    const away = join(this.#folder, ownedName(droppedPrefix));
    await rename(join(this.#folder, id), away).catch(() => undefined); // another process was first
    await rm(this.#verifiedPath(id), { force: true });
    await rm(away, { recursive: true, force: true });
  }

  /** Removes what killed processes left half made or half removed. */
  reap(): Promise<void> {
    return removeAbandoned(this.#folder, [draftPrefix, droppedPrefix, openedPrefix]);
  }

  async #publish(
    folder: string,
    facts: SnapshotFacts & Pick<SnapshotManifest, "seal">,
    isDurable: boolean,
  ): Promise<Snapshot> {
    const files: SnapshotFile[] = [];
    const looks: Record<string, string> = {};
    for (const name of (await readdir(folder)).sort()) {
      const path = join(folder, name);
      if (isDurable) await flush(path);
      looks[name] = await lookOf(path);
      const { size: bytes } = await stat(path);
      files.push({ name, bytes, sha256: await hashFile(path) });
    }
    const createdAt = new Date().toISOString();
    const manifest: SnapshotManifest = { ...facts, version: 1, createdAt, files };
    const { id, text } = writeManifest(manifest);
    await writeFile(join(folder, manifestName), text, { mode: 0o600, flush: isDurable });
    await rename(folder, join(this.#folder, id));
    if (isDurable) await flush(this.#folder);
    await noteVerified(this.#verifiedPath(id), looks);
    await this.#makeRoom(id);
    return { id, manifest, bytes: await roomOf(join(this.#folder, id), manifest) };
  }

  /** A private folder with the files as they were before they were encrypted; the caller's to remove. */
  async #unseal(id: string, { seal, files }: SnapshotManifest): Promise<string> {
    const folder = join(this.#folder, ownedName(openedPrefix));
    try {
      if (seal === null || this.#findKey === undefined) throw invalidSnapshot(id, "it has no key");
      const key = await this.#findKey(seal.place);
      if (seal.keyId !== keyIdOf(key)) throw invalidSnapshot(id, "it was sealed with another key");
      await mkdir(folder, { mode: 0o700 });
      for (const { name } of files) {
        const own = deriveFileKey(key.bytes, seal.salt, name);
        await unsealFile(join(this.#folder, id, name), join(folder, name), own);
      }
      return folder;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw toHostError(error, "a sealed snapshot cannot be opened");
    }
  }

  async #makeRoom(newest: string): Promise<void> {
    try {
      const unwanted = chooseUnwanted(await this.list(), newest, this.#limits);
      for (const old of unwanted) await this.remove(old);
    } catch (error) {
      await this.remove(newest);
      throw error;
    }
  }

  async #readManifest(id: string): Promise<SnapshotManifest> {
    const path = join(this.#folder, id, manifestName);
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if (errnoOf(error) !== "ENOENT") throw toHostError(error, "a snapshot cannot be read");
      throw new LuminaGuardError("SNAPSHOT_NOT_FOUND", `there is no snapshot ${shortId(id)}`, {
        hint: "luminaguard vm snapshot ls  lists them",
      });
    });
    return parseManifest(id, text);
  }

  async #verify(id: string, { files }: SnapshotManifest, signal?: AbortSignal): Promise<void> {
    const looks: Record<string, string> = {};
    for (const { name, bytes } of files) {
      const path = join(this.#folder, id, name);
      const size = await stat(path).then(
        (found) => found.size,
        () => undefined,
      );
      if (size === undefined) throw invalidSnapshot(id, `its file ${name} is missing`);
      if (size !== bytes)
        throw invalidSnapshot(id, `its file ${name} has ${size} of ${bytes} bytes`);
      looks[name] = await lookOf(path);
    }
    const record = this.#verifiedPath(id);
    if (await wereVerified(record, looks)) return;
    for (const { name, sha256 } of files) {
      const found = await hashFile(join(this.#folder, id, name), signal);
      if (found !== sha256) throw invalidSnapshot(id, `its file ${name} was changed`);
    }
    await noteVerified(record, looks);
  }

  async #ids(): Promise<readonly string[]> {
    const names = await readdir(this.#folder).catch(() => []);
    return names.filter((name) => /^[0-9a-f]{64}$/.test(name));
  }

  async #summarize(id: string): Promise<Snapshot | undefined> {
    try {
      const manifest = await this.#readManifest(id);
      return { id, manifest, bytes: await roomOf(join(this.#folder, id), manifest) };
    } catch {
      return undefined; // removed meanwhile, or told when it is opened
    }
  }

  #verifiedPath(id: string): string {
    return join(this.#folder, "verified", `${id}.json`);
  }
}

/** Encrypts each file in its place; what was plain is gone. */
async function sealFolder(
  folder: string,
  key: SealingKey,
): Promise<NonNullable<SnapshotManifest["seal"]>> {
  const salt = randomBytes(32).toString("hex");
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    await sealFile(path, `${path}.sealed`, deriveFileKey(key.bytes, salt, name));
    await rename(`${path}.sealed`, path);
  }
  return { place: key.place, keyId: keyIdOf(key), salt };
}

function keyIdOf({ bytes }: SealingKey): string {
  return createHash("sha256")
    .update("luminaguard-snapshots ")
    .update(bytes)
    .digest("hex")
    .slice(0, 16);
}

async function flush(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Memory files have holes. */
async function roomOf(folder: string, { files }: SnapshotManifest): Promise<number> {
  const sizes = await Promise.all(
    files.map(({ name }) =>
      stat(join(folder, name)).then(
        ({ blocks }) => blocks * 512,
        () => 0, // missing: told when it is opened
      ),
    ),
  );
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}
