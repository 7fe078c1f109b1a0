/**
 * From chosen changes to moves. The host is looked at once more, without following links: whatever is not
 * as it was when it was sent is a conflict, and one conflict is enough for nothing to be done.
 */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ApplyStep } from "./apply-journal.ts";
import { isSameState, type Change, type ChangeSet, type FileState } from "./change-set.ts";
import { findConflict } from "./describe-change.ts";
import { foldPath } from "./guest-path.ts";
import { checkFolders, readHostState, type HostState } from "./host-state.ts";

export interface ApplyConflict {
  readonly path: string;
  readonly reason: string;
}

/** A file to be written into `new/` before anything moves. */
export interface StagedFile {
  readonly slot: string;
  readonly state: FileState;
  /** permission bits of the file it replaces; undefined for a new one */
  readonly mode: number | undefined;
}

export interface ApplyPlan {
  readonly steps: readonly ApplyStep[];
  readonly staged: readonly StagedFile[];
  readonly conflicts: readonly ApplyConflict[];
  /** what the host must have in each `old/` slot once it was set aside */
  readonly expected: ReadonlyMap<string, Change["before"]>;
  /** chosen changes that the host has already */
  readonly already: readonly string[];
}

export async function planApply(
  set: ChangeSet,
  chosen: readonly Change[],
  signal: AbortSignal | undefined,
): Promise<ApplyPlan> {
  const planner = new Planner(set.root, chosen);
  for (const change of chosen) {
    signal?.throwIfAborted();
    await planner.consider(change, signal);
  }
  return await planner.finish(set.removedFolders);
}

class Planner {
  readonly #root: string;
  /** paths that are a file or a link now and will be out of the way */
  readonly #leaving: Set<string>;
  readonly #changes: Change[] = [];
  readonly #conflicts: ApplyConflict[] = [];
  readonly #already: string[] = [];
  readonly #steps = {
    aside: [] as ApplyStep[],
    remove: [] as ApplyStep[],
    make: new Set<string>(),
    put: [] as ApplyStep[],
  };
  readonly #staged: StagedFile[] = [];
  readonly #expected = new Map<string, Change["before"]>();
  #slots = 0;

  constructor(root: string, chosen: readonly Change[]) {
    this.#root = root;
    const gone = chosen.filter(({ before }) => before !== null && before.kind !== "folder");
    this.#leaving = new Set(gone.map(({ path }) => path));
  }

  async consider(change: Change, signal: AbortSignal | undefined): Promise<void> {
    const { path, before, after } = change;
    const host = await this.#look(path, signal);
    const hasAfter =
      after === null ? host.kind === "absent" : isState(host) && isSameState(after, host);
    if (hasAfter) {
      this.#leaving.delete(path);
      this.#already.push(path);
      return;
    }
    const reason = findConflict(before, host) ?? (await this.#findTwin(change));
    if (reason === null) this.#changes.push(change);
    else this.#conflicts.push({ path, reason });
  }

  async finish(removedFolders: readonly string[]): Promise<ApplyPlan> {
    for (const change of this.#changes) await this.#move(change);
    await this.#removeFolders(removedFolders);
    const make = [...this.#steps.make]
      .sort()
      .map((path): ApplyStep => ({ kind: "make folder", path }));
    return {
      steps: [...this.#steps.aside, ...this.#steps.remove, ...make, ...this.#steps.put],
      staged: this.#staged,
      conflicts: this.#conflicts,
      expected: this.#expected,
      already: this.#already,
    };
  }

  /** What the host has; a file on the way that is leaving counts as gone. */
  async #look(path: string, signal: AbortSignal | undefined): Promise<HostState> {
    const host = await readHostState(this.#root, path, signal);
    if (host.kind !== "blocked") return host;
    return parentsOf(path).some((parent) => this.#leaving.has(parent)) ? { kind: "absent" } : host;
  }

  /** For a new name: whether the host has one that differs only in case or in how it is composed. */
  async #findTwin({ path, before, after }: Change): Promise<string | null> {
    if (before !== null || after === null) return null;
    for (const name of [...parentsOf(path), path]) {
      const parent = name.slice(0, Math.max(0, name.lastIndexOf("/")));
      // a folder that is not there holds no twin
      const siblings = await readdir(join(this.#root, parent)).catch((): string[] => []);
      const base = name.slice(parent === "" ? 0 : parent.length + 1);
      if (siblings.includes(base)) continue;
      const twin = siblings.find((other) => foldPath(other) === foldPath(base));
      const full = parent === "" ? twin : `${parent}/${twin ?? ""}`;
      if (twin !== undefined && full !== undefined && !this.#leaving.has(full)) {
        return `the host has ${full}, which differs only in spelling`;
      }
    }
    return null;
  }

  async #move({ path, before, after }: Change): Promise<void> {
    let mode: number | undefined;
    if (before !== null && before.kind !== "folder") {
      const slot = this.#nextSlot();
      mode = (await lstat(join(this.#root, path))).mode & 0o777;
      this.#expected.set(slot, before);
      this.#steps.aside.push({ kind: "set aside", path, slot });
    }
    if (after === null) return;
    const folders = after.kind === "folder" ? [...parentsOf(path), path] : parentsOf(path);
    for (const folder of folders) if (await this.#isMissing(folder)) this.#steps.make.add(folder);
    if (after.kind === "link")
      this.#steps.put.push({ kind: "put link", path, target: after.target });
    if (after.kind !== "file") return;
    const slot = this.#nextSlot();
    this.#staged.push({ slot, state: after, mode: before?.kind === "file" ? mode : undefined });
    this.#steps.put.push({ kind: "put file", path, slot, sha256: after.sha256 });
  }

  async #isMissing(folder: string): Promise<boolean> {
    if (parentsOf(folder).some((parent) => this.#steps.make.has(parent))) return true;
    if (this.#leaving.has(folder)) return true;
    return (await readHostState(this.#root, folder)).kind === "absent";
  }

  /** Folders go, deepest first, when nothing but what leaves is in them; one in the way must go. */
  async #removeFolders(removedFolders: readonly string[]): Promise<void> {
    const inTheWay = new Set(
      this.#changes.filter(({ before }) => before?.kind === "folder").map(({ path }) => path),
    );
    const gone = new Set(this.#leaving);
    const folders = [...new Set([...removedFolders, ...inTheWay])].sort().reverse();
    for (const path of folders) {
      const mode = await this.#modeOfEmptied(path, gone);
      if (mode !== undefined) {
        gone.add(path);
        this.#steps.remove.push({ kind: "remove folder", path, mode });
      } else if (inTheWay.has(path)) {
        this.#conflicts.push({ path, reason: "the folder is not empty on the host" });
      }
    }
  }

  /** The folder's permission bits; undefined when it is no folder, or will not be empty. */
  async #modeOfEmptied(path: string, gone: ReadonlySet<string>): Promise<number | undefined> {
    if ((await checkFolders(this.#root, path)) !== undefined) return undefined;
    const full = join(this.#root, path);
    const facts = await lstat(full).catch(() => undefined);
    if (facts?.isDirectory() !== true || this.#steps.make.has(path)) return undefined;
    const names = await readdir(full);
    return names.every((name) => gone.has(`${path}/${name}`)) ? facts.mode & 0o777 : undefined;
  }

  #nextSlot(): string {
    this.#slots += 1;
    return String(this.#slots);
  }
}

function isState(host: HostState): host is Exclude<HostState, { kind: "absent" | "blocked" }> {
  return host.kind !== "absent" && host.kind !== "blocked";
}

/** `a/b/c` gives `a`, `a/b`. */
function parentsOf(path: string): readonly string[] {
  const parents: string[] = [];
  for (let cut = path.indexOf("/"); cut >= 0; cut = path.indexOf("/", cut + 1)) {
    parents.push(path.slice(0, cut));
  }
  return parents;
}
