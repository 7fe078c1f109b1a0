/**
 * The hostile tar stream, taken in: every entry is judged, counted against the bounds, hashed, and kept
 * only when it is a change. What no one can apply is listed as refused, not fatal; what no honest agent
 * could send ends it with CHANGES_HOSTILE, and what is over a bound with WIRE_LIMIT.
 */
import { LuminaGuardError } from "../errors.ts";
import type { Baseline } from "./baseline.ts";
import type { BlobFolder } from "./blob-folder.ts";
import { hostile } from "./byte-source.ts";
import type { ChangeState, Refusal } from "./change-set.ts";
import { isBelowGit, judgeGuestPath } from "./guest-path.ts";
import { isExecutable } from "./host-state.ts";
import { readTar, type TarItem } from "./tar-reader.ts";

export interface GuestTreeLimits {
  /** most entries of the stream */
  readonly entriesMax: number;
  /** most content in `bytes`, changed or not */
  readonly bytesMax: number;
  /** most changed content in `bytes` */
  readonly changedBytesMax: number;
  /** most characters in all names together */
  readonly nameBytesMax: number;
}

export const guestTreeLimits: GuestTreeLimits = {
  entriesMax: 400_000,
  bytesMax: 4 * 1024 ** 3,
  changedBytesMax: 1024 ** 3,
  nameBytesMax: 64 * 1024 ** 2,
};

export interface GuestTreeOptions {
  readonly baseline: Baseline;
  readonly blobs: BlobFolder;
  readonly isIgnored: (path: string, isFolder: boolean) => boolean;
  readonly limits: GuestTreeLimits;
  readonly signal: AbortSignal | undefined;
}

/** most names kept of each list that a person is shown */
const namesMax = 200;

export class GuestTree {
  readonly states: Map<string, ChangeState> = new Map();
  readonly unknown: Set<string> = new Set();
  /** hashes of content that holds a NUL early on */
  readonly binaries: Set<string> = new Set();
  readonly refused: Refusal[] = [];
  readonly leftBehind: { paths: string[]; count: number } = { paths: [], count: 0 };
  refusedCount = 0;
  /** how many entries below `.git` are new or changed */
  gitChanges = 0;
  readonly #seen = new Set<string>();
  readonly #ignoredFolders = new Set<string>();
  readonly #options: GuestTreeOptions;
  #entries = 0;
  #bytes = 0;
  #changedBytes = 0;
  #nameBytes = 0;

  constructor(options: GuestTreeOptions) {
    this.#options = options;
  }

  async take(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const item of readTar(chunks)) {
      this.#options.signal?.throwIfAborted();
      this.#count(item);
      const verdict = judgeGuestPath(item.name, item.kind === "folder");
      if (verdict.kind === "refused") this.refuse(item.name, verdict.reason);
      else if (verdict.kind === "ok") await this.#judge(verdict.path, item);
    }
    this.#checkShape();
  }

  refuse(path: string, reason: string): void {
    this.refusedCount += 1;
    if (this.refused.length < namesMax) this.refused.push({ path: path.slice(0, 512), reason });
  }

  async #judge(path: string, item: TarItem): Promise<void> {
    if (this.#seen.has(path)) throw hostile("one name twice");
    this.#seen.add(path);
    if (isBelowGit(path)) return this.#takeGit(path, item);
    const isKnown = this.#options.baseline.entries.has(path);
    if (!isKnown && this.#leaveBehind(path, item.kind === "folder")) return;
    if (item.kind === "file") await this.#takeFile(path, item);
    else if (item.kind === "folder") this.states.set(path, { kind: "folder" });
    else if (item.kind === "link") this.#takeLink(path, item.target);
    else {
      this.unknown.add(path);
      this.refuse(path, item.kind);
    }
  }

  async #takeFile(path: string, item: TarItem): Promise<void> {
    const { blobs } = this.#options;
    const before = this.#options.baseline.entries.get(path);
    const known = before?.kind === "file" ? before.sha256 : undefined;
    const room = this.#options.limits.changedBytesMax - this.#changedBytes;
    const isSurelyChanged = before?.kind !== "file" || before.size !== item.size;
    if (isSurelyChanged && item.size > room) throw this.#over("more changed content");
    const hashed = await blobs.put(item.content, {
      size: item.size,
      wants: (sha256) => {
        if (sha256 === known) return false;
        this.#changedBytes += item.size;
        if (item.size > room) throw this.#over("more changed content");
        return true;
      },
    });
    if (hashed.binary) this.binaries.add(hashed.sha256);
    if ((item.mode & 0o7000) !== 0) this.refuse(path, "setuid, setgid or sticky bit (taken off)");
    const { size, sha256 } = hashed;
    this.states.set(path, { kind: "file", executable: isExecutable(item.mode), size, sha256 });
  }

  #takeLink(path: string, target: string): void {
    if (target === "" || target.length > 4000 || /[\p{Cc}\p{Cs}\ufffd]/u.test(target)) {
      this.unknown.add(path);
      this.refuse(path, "link with an unusable target");
    } else this.states.set(path, { kind: "link", target });
  }

  /** Nothing below `.git` is ever applied; that there was something is told. */
  async #takeGit(path: string, item: TarItem): Promise<void> {
    const before = this.#options.baseline.entries.get(path);
    if (item.kind === "folder") return;
    if (item.kind === "file" && before?.kind === "file" && before.size === item.size) {
      const hashed = await this.#options.blobs.put(item.content, {
        size: item.size,
        wants: () => false,
      });
      if (hashed.sha256 === before.sha256) return;
    }
    this.gitChanges += 1;
  }

  /** Whether an ignore rule keeps the path in the machine; the topmost folder stands for all below. */
  #leaveBehind(path: string, isFolder: boolean): boolean {
    for (let cut = path.indexOf("/"); cut >= 0; cut = path.indexOf("/", cut + 1)) {
      if (this.#ignoredFolders.has(path.slice(0, cut))) return true;
    }
    if (!this.#options.isIgnored(path, isFolder)) return false;
    if (isFolder) this.#ignoredFolders.add(path);
    this.leftBehind.count += 1;
    if (this.leftBehind.paths.length < namesMax) this.leftBehind.paths.push(path);
    return true;
  }

  #count(item: TarItem): void {
    const { limits } = this.#options;
    this.#entries += 1;
    this.#bytes += item.size;
    this.#nameBytes += item.name.length + item.target.length;
    if (this.#entries > limits.entriesMax) throw this.#over("more files");
    if (this.#bytes > limits.bytesMax) throw this.#over("more content");
    if (this.#nameBytes > limits.nameBytesMax) throw this.#over("longer names");
  }

  /** A tree in which something lies below a file or a link is no tree. */
  #checkShape(): void {
    for (const path of this.states.keys()) {
      for (let cut = path.indexOf("/"); cut >= 0; cut = path.indexOf("/", cut + 1)) {
        const parent = path.slice(0, cut);
        const state = this.states.get(parent);
        if (this.unknown.has(parent) || (state !== undefined && state.kind !== "folder")) {
          throw hostile("a file below something that is no folder");
        }
      }
    }
  }

  #over(what: string): LuminaGuardError {
    return new LuminaGuardError(
      "WIRE_LIMIT",
      `the machine sent ${what} than a change set may hold`,
      {
        hint: "nothing was changed on the host; let the command write less below /workspace",
        details: { ...this.#options.limits },
      },
    );
  }
}
