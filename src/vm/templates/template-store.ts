/**
 * Frozen machines on disk, each a folder named by the key of everything that could change it:
 *
 *   <templates>/<key>/ram            the machine's memory, cloned by private mapping
 *   <templates>/<key>/state          device state, handed to each clone; hashed at every load
 *   <templates>/<key>/template.json  what was published; written last
 *
 *   <templates>/<key>/audit          the memory file's hash after a machine's end
 *
 * A folder is published by one rename. A template whose files are not what was published is dropped
 * and made again. The memory file is checked by size, owner, mode and change time before each
 * clone: a write through a machine's descriptor moves the change time, which no one can set back.
 * Its whole hash takes about a second per GiB, so it is taken off the path.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { LuminaGuardError } from "../../errors.ts";
import { startDetached } from "../../process/child.ts";
import { ownedName, removeAbandoned } from "../../process/owned-name.ts";
import { digHoles } from "../memory-file.ts";

const draftPrefix = ".draft-";
const droppedPrefix = ".dropped-";

const schema = v.object({
  version: v.literal(1),
  stateSha256: v.string(),
  ramSha256: v.string(),
  ram: v.object({
    size: v.number(),
    uid: v.number(),
    mode: v.number(),
    /** nanoseconds as text: more than a double holds */
    ctimeNs: v.string(),
    inode: v.string(),
  }),
});
type Manifest = v.InferOutput<typeof schema>;

export interface Template {
  readonly key: string;
  readonly folder: string;
  readonly ramPath: string;
  readonly state: Buffer;
}

export interface TemplateSummary {
  readonly key: string;
  readonly path: string;
  /** room taken on disk in `bytes` */
  readonly bytes: number;
  /** since 1970, in `ms` */
  readonly usedAtMs: number;
}

export interface TemplateDraft {
  readonly folder: string;
  readonly ramPath: string;
  /** Makes the draft the template of its key. Another process may have been first: then that one stays. */
  readonly publish: (state: Buffer) => Promise<void>;
  readonly discard: () => Promise<void>;
}

/** templates kept; the one used longest ago makes room for a new one */
const templatesMax = 8;

export class TemplateStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * The template, checked; `undefined` when there is none or it is not what was published (then it is
   * dropped). Raises HOST_LIMIT when the host cannot read it now.
   */
  async open(key: string): Promise<Template | undefined> {
    const folder = join(this.#folder, key);
    if ((await stat(folder).catch(() => undefined)) === undefined) return undefined;
    try {
      const manifest = await readManifest(folder);
      const ramPath = join(folder, "ram");
      requireSame(manifest, await stat(ramPath, { bigint: true }));
      await requireAudited(manifest, folder);
      const state = await readFile(join(folder, "state"));
      if (sha256(state) !== manifest.stateSha256) throw invalid("its device state was changed");
      const now = new Date();
      await utimes(folder, now, now).catch(() => undefined); // only its place in the list of what to keep
      return { key, folder, ramPath, state };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== undefined && hostErrors.has(code)) throw toHostLimit(folder, error);
      await this.drop(key); // published whole, so a file that is missing was taken away
      return undefined;
    }
  }

  async draft(key: string): Promise<TemplateDraft> {
    const folder = join(this.#folder, ownedName(draftPrefix));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const ramPath = join(folder, "ram");
    return {
      folder,
      ramPath,
      publish: (state) => this.#publish(key, folder, state),
      discard: () => rm(folder, { recursive: true, force: true }),
    };
  }

  async #publish(key: string, folder: string, state: Buffer): Promise<void> {
    await digHoles(join(folder, "ram"));
    const ram = await stat(join(folder, "ram"), { bigint: true });
    const ramSha256 = await hashFile(join(folder, "ram"));
    const manifest: Manifest = {
      version: 1,
      stateSha256: sha256(state),
      ramSha256,
      ram: factsOf(ram),
    };
    await writeFile(join(folder, "state"), state, { mode: 0o600 });
    await writeFile(join(folder, "template.json"), JSON.stringify(manifest), { mode: 0o600 });
    await rename(folder, join(this.#folder, key)).catch(async (error: unknown) => {
      await rm(folder, { recursive: true, force: true });
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    });
    const unused = (await this.list()).slice(0, -templatesMax);
    // a machine that was cloned from one keeps its memory file: only the name goes
    for (const { key: old } of unused) await this.drop(old);
  }

  /**
   * Has the whole memory file hashed by a program that outlives this one, at the lowest priority.
   * `open` reads what it found.
   */
  audit(key: string): void {
    const folder = join(this.#folder, key);
    startDetached("sh", ["-c", auditScript, "audit", folder]);
  }

  async drop(key: string): Promise<void> {
    const away = join(this.#folder, ownedName(droppedPrefix));
    await rename(join(this.#folder, key), away).catch(() => undefined); // another process was first
    // an audit may be writing in it at this moment; what stays goes at a later start
    await rm(away, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
  }

  /** Removes what killed processes left half made or half removed. */
  clear(): Promise<void> {
    return removeAbandoned(this.#folder, [draftPrefix, droppedPrefix]);
  }

  /** Every template, the one used longest ago first. */
  async list(): Promise<readonly TemplateSummary[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const found = await Promise.all(
      names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((key) => this.#summarize(key)),
    );
    return found
      .filter((summary) => summary !== undefined)
      .sort((one, other) => one.usedAtMs - other.usedAtMs);
  }

  async #summarize(key: string): Promise<TemplateSummary | undefined> {
    const path = join(this.#folder, key);
    try {
      const [ram, state, folder] = await Promise.all([
        stat(join(path, "ram")),
        stat(join(path, "state")),
        stat(path),
      ]);
      // the memory file has holes where the machine never wrote
      return { key, path, bytes: ram.blocks * 512 + state.size, usedAtMs: folder.mtimeMs };
    } catch {
      return undefined; // dropped meanwhile
    }
  }
}

/**
 * One hash at a time and one that waits: whoever comes meanwhile is answered by the one that waits, which
 * reads the file later. Only time that nobody wants is used. The result is moved into place whole; a
 * template that was dropped has no folder.
 */
const auditScript = `cd "$1" && exec 8>audit.next 9>audit.lock && flock -n 8 && flock -w 600 9 &&
exec 8>&- && chrt --idle 0 sha256sum ram >audit.new 2>/dev/null && mv audit.new audit`;

async function requireAudited(manifest: Manifest, folder: string): Promise<void> {
  const audit = await readFile(join(folder, "audit"), "latin1").catch(() => undefined);
  if (audit === undefined || audit.startsWith(manifest.ramSha256)) return;
  throw invalid("its memory was changed");
}

async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, "template.json"), "utf8");
  return v.parse(schema, JSON.parse(text));
}

interface FileFacts {
  readonly size: bigint;
  readonly uid: bigint;
  readonly mode: bigint;
  readonly ctimeNs: bigint;
  readonly ino: bigint;
}

function factsOf(ram: FileFacts): Manifest["ram"] {
  return {
    size: Number(ram.size),
    uid: Number(ram.uid),
    mode: Number(ram.mode),
    ctimeNs: ram.ctimeNs.toString(),
    inode: ram.ino.toString(),
  };
}

function requireSame(manifest: Manifest, ram: FileFacts): void {
  const now = factsOf(ram);
  for (const [fact, was] of Object.entries(manifest.ram)) {
    if (now[fact as keyof Manifest["ram"]] !== was)
      throw invalid(`its memory file's ${fact} changed`);
  }
}

function invalid(why: string): LuminaGuardError {
  return new LuminaGuardError("TEMPLATE_INVALID", `a template cannot be trusted: ${why}`);
}

/** what says nothing about the template: no descriptors, no memory, no right to read, a bad disk */
const hostErrors: ReadonlySet<string> = new Set([
  ...["EMFILE", "ENFILE", "ENOMEM", "EACCES", "EIO"],
  ...["ENOSPC", "EDQUOT", "EROFS"],
]);

function toHostLimit(folder: string, cause: unknown): LuminaGuardError {
  return new LuminaGuardError("HOST_LIMIT", `the template ${folder} cannot be read`, {
    hint: "check who owns the cache folder, and the limit on open files (ulimit -n)",
    cause,
  });
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}
