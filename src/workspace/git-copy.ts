/**
 * What of a `.git` folder goes into the machine: enough for `git status`, `git log` and commits, and
 * nothing that names a person, a remote, a credential or a program. An allow list, not a block list.
 * A repository whose history cannot be parted from a credential stays out whole.
 */
import { readFile, readdir, lstat } from "node:fs/promises";
import { join } from "node:path";
import { parseGitIndex } from "./git-index.ts";
import { readGitConfig, type GitFacts } from "./git-config.ts";
import type { WorkspaceEntry } from "./workspace-entry.ts";

export type GitCopy =
  | {
      readonly kind: "copy";
      readonly entries: readonly WorkspaceEntry[];
      readonly without: readonly string[];
    }
  | { readonly kind: "left out"; readonly reason: string };

export interface GitCopyOptions {
  /** Whether a tracked file, by its path below the repository, is a credential that was not asked for. */
  readonly isCredential: (path: string) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** files in `.git` that pass as they are */
const plainFiles = new Set(["HEAD", "index", "shallow"]);
const infoFiles = new Set(["exclude", "attributes", "sparse-checkout"]);
/** folders that git insists on */
const neededFolders = ["objects", "refs", "refs/heads", "refs/tags"];
/** largest text file of a repository that is read, in `bytes` */
const textBytesMax = 64 * 1024 * 1024;

/** `gitPath` is the `.git` folder below `root`. */
export async function copyGit(
  root: string,
  gitPath: string,
  options: GitCopyOptions,
): Promise<GitCopy> {
  const folder = join(root, gitPath);
  const facts = readGitConfig((await readText(join(folder, "config"))) ?? "");
  if (!facts.plainRefs) return leftOut("its refs are in a store that is not understood");
  if ((await readText(join(folder, "objects", "info", "alternates"))) !== undefined) {
    return leftOut("it borrows objects from another repository");
  }
  const secret = await findSecretObjects(folder, facts, options);
  if (secret.kind === "left out") return secret;
  const walk = new GitWalk(folder, gitPath, secret.objects, options.signal);
  const hasHooks = await walk.collect(facts);
  const without = [...(hasHooks ? ["hooks"] : []), ...(facts.hasRemotes ? ["remotes"] : [])];
  return { kind: "copy", entries: walk.entries, without };
}

function leftOut(reason: string): GitCopy & { kind: "left out" } {
  return { kind: "left out", reason };
}

type Secrets = { readonly kind: "objects"; readonly objects: ReadonlySet<string> };

/** The loose objects that hold tracked credentials; one inside a pack cannot be taken out of it. */
async function findSecretObjects(
  folder: string,
  facts: GitFacts,
  options: GitCopyOptions,
): Promise<Secrets | (GitCopy & { kind: "left out" })> {
  const index = await readBytes(join(folder, "index"));
  const objects = new Set<string>();
  if (index === undefined) return { kind: "objects", objects };
  const tracked = parseGitIndex(index, facts.idBytes);
  if (tracked === undefined) return leftOut("its index is not understood");
  for (const { path, id } of tracked) {
    if (!options.isCredential(path)) continue;
    const loose = `objects/${id.slice(0, 2)}/${id.slice(2)}`;
    if ((await kindOf(join(folder, loose))) !== "file") return leftOut(`its history holds ${path}`);
    objects.add(loose);
  }
  return { kind: "objects", objects };
}

class GitWalk {
  readonly entries: WorkspaceEntry[] = [];
  readonly #folder: string;
  readonly #gitPath: string;
  readonly #secret: ReadonlySet<string>;
  readonly #signal: AbortSignal | undefined;

  constructor(
    folder: string,
    gitPath: string,
    secret: ReadonlySet<string>,
    signal: AbortSignal | undefined,
  ) {
    this.#folder = folder;
    this.#gitPath = gitPath;
    this.#secret = secret;
    this.#signal = signal;
  }

  /** Fills `entries`; tells whether hooks were left behind. */
  async collect(facts: GitFacts): Promise<boolean> {
    this.#addFolder("");
    for (const name of neededFolders) this.#addFolder(name);
    this.#addText("config", facts.config);
    for (const name of await list(this.#folder)) {
      if (plainFiles.has(name) || name.startsWith("sharedindex.")) await this.#addFile(name);
    }
    for (const name of infoFiles) await this.#addFile(`info/${name}`);
    const packed = await readText(join(this.#folder, "packed-refs"));
    if (packed !== undefined) this.#addText("packed-refs", keepLocalRefs(packed));
    for (const name of ["objects", "refs/heads", "refs/tags"]) await this.#addTree(name);
    const hooks = await list(join(this.#folder, "hooks"));
    return hooks.some((name) => !name.endsWith(".sample"));
  }

  async #addTree(path: string): Promise<void> {
    this.#signal?.throwIfAborted();
    for (const name of await list(join(this.#folder, path))) {
      const below = `${path}/${name}`;
      if (this.#secret.has(below) || isScratch(below)) continue;
      const kind = await kindOf(join(this.#folder, below));
      if (kind === "folder") {
        if (!neededFolders.includes(below)) this.#addFolder(below);
        await this.#addTree(below);
      } else await this.#addFile(below);
    }
  }

  async #addFile(path: string): Promise<void> {
    const facts = await lstat(join(this.#folder, path)).catch(() => undefined);
    if (facts?.isFile() !== true) return;
    const { size, mtimeMs } = facts;
    this.entries.push({
      kind: "file",
      path: this.#at(path),
      mode: facts.mode & 0o777,
      size,
      mtimeMs,
    });
  }

  #addText(path: string, text: string): void {
    const content = Buffer.from(text);
    const facts = { mode: 0o644, size: content.length, mtimeMs: Date.now() };
    this.entries.push({ kind: "file", path: this.#at(path), ...facts, content });
  }

  #addFolder(path: string): void {
    this.entries.push({ kind: "folder", path: this.#at(path), mode: 0o755, mtimeMs: Date.now() });
  }

  #at(path: string): string {
    return path === "" ? this.#gitPath : `${this.#gitPath}/${path}`;
  }
}

function isScratch(path: string): boolean {
  return /\/(tmp_|info\/(http-)?alternates$)|\.(lock|promisor)$/.test(path);
}

/** Branches and tags with their peeled lines; what remotes had is dropped. */
function keepLocalRefs(text: string): string {
  let keep = true;
  const lines = text.split("\n").filter((line) => {
    if (line.startsWith("^")) return keep;
    keep = line.startsWith("#") || /^[0-9a-f]+ refs\/(heads|tags)\//.test(line);
    return keep;
  });
  return lines.map((line) => `${line}\n`).join("");
}

async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  const facts = await lstat(path).catch(() => undefined);
  return facts?.isFile() === true ? "file" : facts?.isDirectory() === true ? "folder" : undefined;
}

async function list(folder: string): Promise<readonly string[]> {
  // a folder that is not there holds nothing
  return (await readdir(folder).catch((): string[] => [])).sort();
}

async function readBytes(path: string): Promise<Buffer | undefined> {
  const facts = await lstat(path).catch(() => undefined);
  if (facts?.isFile() !== true || facts.size > textBytesMax) return undefined;
  return await readFile(path);
}

async function readText(path: string): Promise<string | undefined> {
  return (await readBytes(path))?.toString("utf8");
}
