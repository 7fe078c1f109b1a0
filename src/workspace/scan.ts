/**
 * What of the workspace goes into the machine. One walk, sorted, that never follows a link, leaves out
 * credentials, ignored files and special files, and remembers what it left out and why.
 */
import type { Stats } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { LuminaGuardError } from "../errors.ts";
import { holdsCredential, isWorthSniffing } from "./credential-content.ts";
import { isCredentialName } from "./credentials.ts";
import { EntryList } from "./entry-list.ts";
import { copyGit } from "./git-copy.ts";
import { applyFolderPrefix, isGitName, judgeGuestPath } from "./guest-path.ts";
import { IgnoreRules } from "./ignore-rules.ts";
import { createIncludeGlobs, type IncludeGlobs } from "./include-globs.ts";
import { LeftOut, type LeftOutGroup } from "./left-out.ts";
import type { WorkspaceEntry } from "./workspace-entry.ts";

export interface ScanOptions {
  /** what to send although a rule leaves it out */
  readonly include?: readonly string[];
  /** most files, folders and links @default 200000 */
  readonly entriesMax?: number;
  /** most content in `bytes` @default 2 GiB */
  readonly bytesMax?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Scan {
  readonly root: string;
  /** sorted so that a folder comes before what it holds */
  readonly entries: readonly WorkspaceEntry[];
  readonly files: number;
  readonly bytes: number;
  readonly leftOut: readonly LeftOutGroup[];
  /** Whether the ignore files of the host leave out a path the guest made. */
  readonly isIgnored: (path: string, isFolder: boolean) => boolean;
}

/** How a folder was reached. */
interface WalkState {
  /** a glob named it, so ignore rules are off below it */
  readonly named: boolean;
  /** a glob named it although it is a folder of credentials, so those pass too */
  readonly secrets: boolean;
  /** an ignore rule holds, so only what a glob names passes */
  readonly ignored: boolean;
}

type Verdict = WalkState | "credentials";

/** `root` is what `resolveWorkspaceRoot` gave. */
export async function scanWorkspace(root: string, options: ScanOptions = {}): Promise<Scan> {
  return await new Scanner(root, options).run();
}

class Scanner {
  readonly #root: string;
  readonly #globs: IncludeGlobs;
  readonly #rules = new IgnoreRules();
  readonly #leftOut = new LeftOut();
  readonly #credentials = new Set<string>();
  readonly #gitFolders: string[] = [];
  readonly #list: EntryList;
  readonly #signal: AbortSignal | undefined;

  constructor(root: string, options: ScanOptions) {
    const { include = [], entriesMax = 200_000, bytesMax = 2 * 1024 ** 3 } = options;
    this.#root = root;
    this.#globs = createIncludeGlobs(include);
    this.#list = new EntryList(root, { entriesMax, bytesMax });
    this.#signal = options.signal;
  }

  async run(): Promise<Scan> {
    await this.#walk("", { named: false, secrets: false, ignored: false });
    // last, because what is left of a repository depends on which files were credentials
    for (const path of this.#gitFolders) await this.#takeGit(path);
    const { entries, files, bytes } = this.#list;
    return {
      ...{ root: this.#root, entries, files, bytes, leftOut: this.#leftOut.groups() },
      isIgnored: (path, isFolder) =>
        this.#rules.ignoresWithin(path, isFolder) && !this.#isNamedWithin(path),
    };
  }

  async #walk(folder: string, state: WalkState): Promise<void> {
    this.#signal?.throwIfAborted();
    const names = await this.#names(folder);
    await this.#rules.load(this.#root, folder, names);
    for (const name of names) {
      const path = folder === "" ? name : `${folder}/${name}`;
      if (name.startsWith(applyFolderPrefix)) continue;
      // what would be refused when it comes out again does not go in
      if (judgeGuestPath(path, false).kind === "refused") this.#leftOut.add("special", path);
      else await this.#visit(path, state);
    }
  }

  async #visit(path: string, above: WalkState): Promise<void> {
    const facts = await lstat(join(this.#root, path)).catch(() => undefined);
    if (facts === undefined) {
      this.#leftOut.add("unreadable", path);
      return;
    }
    const isFolder = facts.isDirectory();
    if (isGitName(basename(path))) {
      this.#meetGit(path, isFolder);
      return;
    }
    const verdict = this.#judge(path, isFolder, above);
    if (verdict === "credentials") {
      this.#refuseCredential(path);
      return;
    }
    if (verdict.ignored && !above.ignored) this.#leftOut.add("ignored", path);
    if (isFolder) await this.#enter(path, facts, verdict);
    else if (!verdict.ignored) await this.#take(path, facts, verdict);
  }

  #judge(path: string, isFolder: boolean, above: WalkState): Verdict {
    const isNamed = this.#globs.names(path);
    const isSecret = isCredentialName(path, isFolder);
    if (isSecret && !isNamed && !above.secrets) return "credentials";
    const named = above.named || isNamed;
    const ignored = !named && (above.ignored || this.#rules.ignores(path, isFolder));
    // naming a folder of credentials names all in it; naming an ordinary folder does not
    const secrets = above.secrets || (isNamed && (isSecret || !isFolder));
    return { named, secrets, ignored };
  }

  async #enter(path: string, facts: Stats, state: WalkState): Promise<void> {
    if (state.ignored && !this.#globs.reachInto(path)) return;
    this.#list.add({ kind: "folder", path, mode: facts.mode & 0o777, mtimeMs: facts.mtimeMs });
    await this.#walk(path, state);
  }

  async #take(path: string, facts: Stats, { secrets }: WalkState): Promise<void> {
    const { size, mtimeMs } = facts;
    if (facts.isSymbolicLink()) await this.#takeLink(path, mtimeMs);
    else if (!facts.isFile()) this.#leftOut.add("special", path);
    else {
      const found = secrets ? "nothing" : await this.#sniff(path, size);
      if (found === "credentials") this.#refuseCredential(path);
      else if (found === "unreadable") this.#leftOut.add("unreadable", path);
      else this.#list.add({ kind: "file", path, mode: facts.mode & 0o777, size, mtimeMs });
    }
  }

  async #sniff(path: string, size: number): Promise<"credentials" | "unreadable" | "nothing"> {
    const name = basename(path);
    if (!isWorthSniffing(name, size)) return "nothing";
    try {
      return (await holdsCredential(join(this.#root, path), name)) ? "credentials" : "nothing";
    } catch {
      // gone meanwhile, replaced by a link, or not ours to read
      return "unreadable";
    }
  }

  async #takeLink(path: string, mtimeMs: number): Promise<void> {
    const target = await readlink(join(this.#root, path)).catch(() => undefined);
    if (target === undefined) this.#leftOut.add("unreadable", path);
    else if (target.includes("\ufffd")) this.#leftOut.add("special", path);
    else this.#list.add({ kind: "link", path, target, mtimeMs });
  }

  #refuseCredential(path: string): void {
    this.#credentials.add(path);
    this.#leftOut.add("credentials", path);
  }

  #meetGit(path: string, isFolder: boolean): void {
    if (isFolder && basename(path) === ".git") this.#gitFolders.push(path);
    else this.#leftOut.add("git", path);
  }

  async #takeGit(path: string): Promise<void> {
    const repository = path.slice(0, -".git".length);
    const isNamed = this.#globs.names(path);
    const copy = await copyGit(this.#root, path, {
      isCredential: (below) => !isNamed && this.#isSecret(repository + below),
      signal: this.#signal,
    });
    if (copy.kind === "left out") {
      this.#leftOut.add("git", `${path}: ${copy.reason}`);
      return;
    }
    if (copy.without.length > 0) this.#leftOut.add("git", `${path} ${copy.without.join(" and ")}`);
    for (const entry of copy.entries) this.#list.add(entry);
  }

  /** Whether a tracked file, or a folder above it, is a credential that no glob names. */
  #isSecret(path: string): boolean {
    if (this.#globs.names(path)) return false;
    if (this.#credentials.has(path) || isCredentialName(path, false)) return true;
    const segments = path.split("/");
    return segments.some((_, depth) => {
      const folder = segments.slice(0, depth).join("/");
      return depth > 0 && isCredentialName(folder, true) && !this.#globs.names(folder);
    });
  }

  #isNamedWithin(path: string): boolean {
    const segments = path.split("/");
    return segments.some((_, depth) => this.#globs.names(segments.slice(0, depth + 1).join("/")));
  }

  async #names(folder: string): Promise<readonly string[]> {
    try {
      return (await readdir(join(this.#root, folder))).sort();
    } catch (cause) {
      if (folder !== "") {
        this.#leftOut.add("unreadable", folder);
        return [];
      }
      throw new LuminaGuardError("WORKSPACE_REFUSED", `${this.#root} cannot be read`, {
        hint: "check who owns the folder and its permissions",
        cause,
      });
    }
  }
}
