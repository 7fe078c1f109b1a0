/**
 * `.gitignore` and `.luminaguardignore`, nested as git nests them: the deepest file that says anything
 * about a path decides, and within one folder `.luminaguardignore` comes last. `.git/info/exclude` is
 * weaker, and weakest is a short list of caches that programs make anew. Built while walking, asked
 * again when the guest's tree comes out.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import ignore, { type Ignore } from "ignore";

/** largest ignore file that is read, in `bytes` */
const ignoreFileBytesMax = 256 * 1024;
/** most `*` and `?` in one pattern */
const wildcardsMax = 16;
/** most `**` in one pattern: each more multiplies the time for a deep path, to hours from six on */
const doubleStarsMax = 3;

const ignoreFileNames = [".gitignore", ".luminaguardignore"] as const;

/** What programs make anew whenever it is missing; an ignore file can bring it back with "!". */
const regenerated = ["__pycache__/", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/"];

export class IgnoreRules {
  readonly #byFolder: Map<string, Ignore> = new Map([["", createRules().add(regenerated)]]);

  /** Reads the ignore files of one folder; `""` is the root. */
  async load(root: string, folder: string, fileNames: readonly string[]): Promise<void> {
    const at = join(root, folder);
    if (folder === "") await this.#add("", join(at, ".git", "info", "exclude"));
    for (const name of ignoreFileNames) {
      if (fileNames.includes(name)) await this.#add(folder, join(at, name));
    }
  }

  async #add(folder: string, file: string): Promise<void> {
    const text = await readSmall(file);
    if (text === undefined) return;
    const rules = this.#byFolder.get(folder) ?? createRules();
    rules.add(text.split(/\r?\n/).filter(isQuick));
    this.#byFolder.set(folder, rules);
  }

  /** Whether a rule leaves out this very path; its parents are judged by the walk. */
  ignores(path: string, isFolder: boolean): boolean {
    let cut = path.lastIndexOf("/");
    for (;;) {
      const folder = cut < 0 ? "" : path.slice(0, cut);
      const verdict = this.#judge(folder, path.slice(cut + 1) + (isFolder ? "/" : ""));
      if (verdict !== undefined) return verdict;
      if (cut < 0) return false;
      cut = path.lastIndexOf("/", cut - 1);
    }
  }

  #judge(folder: string, path: string): boolean | undefined {
    const rules = this.#byFolder.get(folder);
    if (rules === undefined) return undefined;
    const { ignored, unignored } = rules.test(path);
    return ignored ? true : unignored ? false : undefined;
  }

  /** Whether the path or any folder above it is left out. */
  ignoresWithin(path: string, isFolder: boolean): boolean {
    const segments = path.split("/");
    for (let depth = 1; depth < segments.length; depth++) {
      if (this.ignores(segments.slice(0, depth).join("/"), true)) return true;
    }
    return this.ignores(path, isFolder);
  }
}

function createRules(): Ignore {
  return ignore({ ignorecase: process.platform !== "linux" });
}

/** Whether a pattern from a hostile repository cannot hold up the walk. */
function isQuick(pattern: string): boolean {
  const wildcards = pattern.match(/\*+|\?/g) ?? [];
  const doubleStars = wildcards.filter((wildcard) => wildcard.length > 1);
  return wildcards.length <= wildcardsMax && doubleStars.length <= doubleStarsMax;
}

/** The file's text; undefined when it is no regular file, is too large or cannot be read. */
async function readSmall(file: string): Promise<string | undefined> {
  try {
    const handle = await open(
      file,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      const facts = await handle.stat();
      if (!facts.isFile() || facts.size > ignoreFileBytesMax) return undefined;
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch {
    // no such file, a link, or unreadable: it says nothing
    return undefined;
  }
}
