/**
 * Says whether an image's files are what was built. Hashing every file takes too long each time a
 * machine starts, so a record is kept of what the files looked like (size, times, owner, inode)
 * when their hashes were last checked; a file that looks different in any of these is hashed again.
 * The record lies outside the image and, as the image, in a folder that only its owner can write.
 */
import { lstat, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { LuminaGuardError, messageOf } from "../errors.ts";
import { sha256OfFile } from "./file-digest.ts";
import { digestOf, manifestBytesMax, manifestName, parseManifest } from "./manifest.ts";
import type { ImageDigest, ImageManifest, ManifestFile } from "./manifest.ts";

interface VerifyOptions {
  readonly folder: string;
  readonly digest: ImageDigest;
  /** where the record of the last check is */
  readonly recordPath: string;
  /** the command that makes the image again */
  readonly rebuildHint: string;
  /** hash every file, whatever the record says
   * @default false */
  readonly full?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** The image's manifest when all is as it was built; else IMAGE_INVALID. */
export async function verifyImageFolder(options: VerifyOptions): Promise<ImageManifest> {
  const manifest = await readManifest(options);
  const looks = await Promise.all(manifest.files.map(async (file) => lookAt(options, file)));
  const known =
    options.full === true ? new Map<string, string>() : await readRecord(options.recordPath);
  const changed = manifest.files.filter((file, index) => known.get(file.path) !== looks[index]);
  for (const file of changed) await checkHash(options, file);
  if (changed.length > 0) {
    // looked at before hashing: a change meanwhile makes the next look differ
    const files = manifest.files.map((file, index) => [file.path, looks[index] ?? ""] as const);
    await writeRecord(options.recordPath, new Map(files));
  }
  return manifest;
}

async function readManifest(options: VerifyOptions): Promise<ImageManifest> {
  const path = join(options.folder, manifestName);
  const bytes = await lstat(path)
    .then(async (stats) =>
      stats.isFile() && stats.size <= manifestBytesMax ? readFile(path) : undefined,
    )
    .catch(() => undefined);
  if (bytes === undefined) throw invalid(options, manifestName, "is not there");
  if (digestOf(bytes) !== options.digest) throw invalid(options, manifestName, "was changed");
  return parseManifest(bytes);
}

/** The manifest alone, or undefined where it is not as it was built; the files are not looked at. */
export async function readImageManifest(
  folder: string,
  digest: ImageDigest,
): Promise<ImageManifest | undefined> {
  return readManifest({ folder, digest, recordPath: "", rebuildHint: "" }).catch(() => undefined);
}

/** How the file looks from outside, as one text; checks what can be checked without reading it. */
async function lookAt(options: VerifyOptions, file: ManifestFile): Promise<string> {
  const stats = await lstat(join(options.folder, file.path), { bigint: true }).catch(
    (error: unknown) => {
      throw invalid(options, file.path, `cannot be read: ${messageOf(error)}`);
    },
  );
  if (!stats.isFile()) throw invalid(options, file.path, "is not a regular file");
  if (stats.size !== BigInt(file.bytes)) throw invalid(options, file.path, "has another size");
  const self = process.getuid?.();
  const ours = self === undefined || stats.uid === BigInt(self) || stats.uid === 0n;
  if (!ours) throw invalid(options, file.path, "belongs to another user");
  // Windows keeps no such modes: the rights of the person's own profile folder stand there
  const isShared = process.platform !== "win32" && (stats.mode & 0o022n) !== 0n;
  if (isShared) throw invalid(options, file.path, "can be written by others");
  return [stats.size, stats.mtimeNs, stats.ctimeNs, stats.uid, stats.dev, stats.ino].join(" ");
}

async function checkHash(options: VerifyOptions, file: ManifestFile): Promise<void> {
  const found = await sha256OfFile(join(options.folder, file.path), options.signal).catch(
    (error: unknown) => {
      options.signal?.throwIfAborted();
      throw invalid(options, file.path, `cannot be read: ${messageOf(error)}`);
    },
  );
  if (found !== file.sha256) throw invalid(options, file.path, "was changed");
}

function invalid(options: VerifyOptions, path: string, what: string): LuminaGuardError {
  return new LuminaGuardError("IMAGE_INVALID", `the image's file ${path} ${what}`, {
    hint: options.rebuildHint,
    details: { digest: options.digest, path },
  });
}

const recordSchema = v.strictObject({ files: v.record(v.string(), v.string()) });

async function readRecord(path: string): Promise<Map<string, string>> {
  try {
    const record = v.parse(recordSchema, JSON.parse(await readFile(path, "utf8")));
    return new Map(Object.entries(record.files));
  } catch {
    return new Map(); // never checked, or unreadable: everything is hashed
  }
}

async function writeRecord(path: string, files: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFileAtomic(path, JSON.stringify({ files: Object.fromEntries(files) }));
}
