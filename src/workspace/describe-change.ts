/**
 * One change as a person sees it: what the host had, how many lines differ, and why to look. The host's
 * content is kept as a blob while it still is what was sent; else the change is a conflict.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { BlobFolder, HashedContent } from "./blob-folder.ts";
import { isSameState, type Change, type ChangeState, type FileState } from "./change-set.ts";
import type { RawChange } from "./compare.ts";
import { flagContent, flagPath, needsContent } from "./flags.ts";
import type { GuestTree } from "./guest-tree.ts";
import { readHostState, type HostState } from "./host-state.ts";
import { countLines, diffLines, lineDiffLimits } from "./line-diff.ts";
import { decodePair } from "./text-pair.ts";

interface DescribeContext {
  readonly root: string;
  readonly tree: Pick<GuestTree, "states" | "binaries">;
  readonly blobs: BlobFolder;
  readonly signal: AbortSignal | undefined;
}

export async function describeChange(raw: RawChange, context: DescribeContext): Promise<Change> {
  const { path, before, after } = raw;
  const { conflict, hostIsBinary } = await meetHost(raw, context);
  const guestIsBinary = after?.kind === "file" && context.tree.binaries.has(after.sha256);
  const binary = hostIsBinary || guestIsBinary;
  const oldBytes = conflict === null ? await readSmall(context.blobs, before) : undefined;
  const newBytes = raw.kind === "mode" ? oldBytes : await readSmall(context.blobs, after);
  const { before: oldText, after: newText } = decodePair(oldBytes, newBytes);
  const flags = [...flagPath(raw, (name) => context.tree.states.get(name)?.kind === "link")];
  if (needsContent(path)) {
    flags.push(
      ...flagContent(path, oldBytes && oldText, newBytes && newText).filter(
        (flag) => !flags.includes(flag),
      ),
    );
  }
  const isCountable = conflict === null && !binary && raw.kind !== "mode";
  const lines = isCountable ? countChangedLines(raw, oldText, newText) : null;
  return { ...raw, binary, lines, flags, conflict };
}

async function meetHost(
  raw: RawChange,
  context: DescribeContext,
): Promise<{ conflict: string | null; hostIsBinary: boolean }> {
  const host = await readHostState(context.root, raw.path, context.signal);
  const conflict = findConflict(raw.before, host);
  if (conflict !== null || raw.before?.kind !== "file") return { conflict, hostIsBinary: false };
  const kept = await keepHostContent(raw.path, raw.before, context);
  return kept === undefined
    ? { conflict: meanwhile, hostIsBinary: false }
    : { conflict: null, hostIsBinary: kept.binary };
}

function countChangedLines(raw: RawChange, before: string, after: string): Change["lines"] {
  const files = [raw.before, raw.after].filter((state) => state?.kind === "file");
  if (files.length === 0 || files.some(({ size }) => size > lineDiffLimits.textBytesMax))
    return null;
  const hunks = diffLines(before, after);
  return hunks === undefined ? null : countLines(hunks);
}

const meanwhile = "changed on the host meanwhile";

/** What stands in the way of the change on the host; null when it is as it was sent. */
export function findConflict(before: ChangeState | null, host: HostState): string | null {
  if (host.kind === "blocked") return host.reason;
  if (host.kind === "absent") return before === null ? null : "removed on the host meanwhile";
  if (before === null) return "already on the host, and was not sent";
  return isSameState(before, host) ? null : meanwhile;
}

/** Stores the host's file if it still has the content that was sent; else undefined. */
async function keepHostContent(
  path: string,
  before: FileState,
  context: DescribeContext,
): Promise<HashedContent | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(join(context.root, path), flags).catch(() => undefined);
  try {
    if (file === undefined) return undefined;
    const content = file.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>;
    const wants = (sha256: string): boolean => sha256 === before.sha256;
    const hashed = await context.blobs.put(content, { size: before.size, wants });
    return hashed.sha256 === before.sha256 ? hashed : undefined;
  } finally {
    await file?.close();
  }
}

/** The content of a small file that is in the folder; undefined for anything else. */
async function readSmall(
  blobs: BlobFolder,
  state: ChangeState | null,
): Promise<Buffer | undefined> {
  if (state?.kind !== "file" || state.size > lineDiffLimits.textBytesMax) return undefined;
  return blobs.read(state.sha256);
}
