/**
 * Makes one read-only file system of Debian packages: every package is unpacked without running
 * its scripts, into a tar archive, which becomes a squashfs that is not compressed (reading
 * compressed blocks is slow where the processor is emulated). Owners, modes and times are the
 * packages' own, so the same packages give the same bytes, for an ordinary user and for root.
 */
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { posix } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";
import type { Headers, Pack } from "tar-stream";
import { LuminaGuardError } from "../errors.ts";
import { readDeb } from "./deb.ts";
import type { DebEntry } from "./deb.ts";
import type { HostTools } from "./host-tools.ts";
import {
  bundleCertificates,
  certificateBundlePath,
  certificateLink,
  findAlternatives,
  isRootCertificate,
} from "./layer-fixes.ts";
import type { LicenceCollector } from "./licences.ts";

export interface RootLayerOptions {
  readonly tools: HostTools;
  /** paths of the packages, in the order they are unpacked; the first to bring a path has it */
  readonly debPaths: readonly string[];
  readonly licences: LicenceCollector;
  /** a file that is written and removed again */
  readonly tarPath: string;
  readonly outputPath: string;
}

/** 2 January 1980 UTC: the time of what no package brought; zip archives begin in 1980 */
const ownTimeS = 315_619_200;
const squashTimeoutMs = 1_800_000;
/** documentation; licence texts are kept beside the image */
const stripped = /^usr\/share\/(?:bug|doc|doc-base|gtk-doc|info|linda|lintian|locale|man)(?:\/|$)/;

export async function buildRootLayer(options: RootLayerOptions): Promise<void> {
  const { tools, tarPath, outputPath } = options;
  const archive = pack();
  const written = pipeline(archive, createWriteStream(tarPath));
  const layer = createLayerWriter(archive);
  const fill = async (): Promise<void> => {
    try {
      for (const debPath of options.debPaths) {
        await readDeb(tools, debPath, async (entry) => {
          await options.licences.visit(entry);
          if (!stripped.test(entry.path)) await layer.add(entry);
        });
      }
      await layer.finish();
      archive.finalize();
    } catch (error) {
      archive.destroy(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  };
  const [filled, ended] = await Promise.allSettled([fill(), written]);
  // a failed write destroys the archive, so its error is the first cause of both
  if (filled.status === "rejected" && ended.status === "fulfilled") throw filled.reason;
  if (ended.status === "rejected") throw ended.reason;
  await squash(tools, tarPath, outputPath);
  await rm(tarPath);
}

async function squash(tools: HostTools, tarPath: string, outputPath: string): Promise<void> {
  const time = String(ownTimeS);
  const args = [
    ...["-quiet", "-no-progress", "-exit-on-error", "-reproducible", "-no-xattrs"],
    ...["-noI", "-noD", "-noF", "-noX"],
    ...["-mkfs-time", time, "-root-time", time],
    ...["-root-mode", "0755", "-root-uid", "0", "-root-gid", "0"],
    outputPath,
  ];
  await tools.run("sqfstar", ["-version"]); // says which package is missing, where it is
  // sqfstar reads its archive from stdin
  const script = 'archive=$1; shift; exec sqfstar "$@" < "$archive"';
  await tools.run("sh", ["-c", script, "sh", tarPath, ...args], { timeoutMs: squashTimeoutMs });
}

interface LayerWriter {
  readonly add: (entry: DebEntry) => Promise<void>;
  /** adds what package scripts would have made */
  readonly finish: () => Promise<void>;
}

function createLayerWriter(archive: Pack): LayerWriter {
  const paths = new Set<string>([""]);
  const certificates = new Map<string, Buffer>();

  const put = async (header: Headers, content?: Buffer | DebEntry): Promise<void> => {
    addParents(archive, paths, header.name);
    paths.add(header.name);
    await putEntry(archive, header, content);
  };
  return {
    add: async (entry) => {
      if (paths.has(entry.path)) return;
      if (entry.kind === "link" && !paths.has(entry.target))
        throw danglingLink(entry.path, entry.target);
      if (entry.kind !== "file" || !isRootCertificate(entry.path)) {
        await put(headerOf(entry), entry);
        return;
      }
      const content = await buffer(entry.content);
      certificates.set(entry.path, content);
      await put(headerOf(entry), content);
    },
    finish: async () => {
      const own = { uid: 0, gid: 0, mtime: new Date(ownTimeS * 1000) };
      const links = findAlternatives(paths);
      if (certificates.size > 0) {
        const bundle = bundleCertificates(certificates);
        const size = bundle.length;
        await put({ ...own, name: certificateBundlePath, type: "file", mode: 0o644, size }, bundle);
        if (!paths.has(certificateLink.path)) links.push(certificateLink);
      }
      for (const { path, target } of links) {
        await put({ ...own, name: path, type: "symlink", mode: 0o777, linkname: target });
      }
    },
  };
}

function headerOf(entry: DebEntry): Headers {
  const header: Headers = {
    name: entry.path,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtime: new Date(entry.mtimeS * 1000),
    type: entry.kind,
  };
  if (entry.kind === "file") return { ...header, size: entry.bytes };
  if (entry.kind === "directory") return header;
  return { ...header, linkname: entry.target };
}

/** Folders that no package listed before what is in them. */
function addParents(archive: Pack, paths: Set<string>, path: string): void {
  const missing: string[] = [];
  for (
    let parent = posix.dirname(path);
    parent !== "." && !paths.has(parent);
    parent = posix.dirname(parent)
  ) {
    missing.unshift(parent);
  }
  for (const name of missing) {
    paths.add(name);
    archive.entry({
      name,
      type: "directory",
      mode: 0o755,
      uid: 0,
      gid: 0,
      mtime: new Date(ownTimeS * 1000),
    });
  }
}

async function putEntry(
  archive: Pack,
  header: Headers,
  content?: Buffer | DebEntry,
): Promise<void> {
  if (content === undefined || Buffer.isBuffer(content) || content.kind !== "file") {
    archive.entry(header, Buffer.isBuffer(content) ? content : "");
    return;
  }
  await pipeline(content.content, archive.entry(header));
}

function danglingLink(path: string, target: string): LuminaGuardError {
  return new LuminaGuardError(
    "IMAGE_BUILD_FAILED",
    `a package links ${path} to ${target}, which is not there`,
  );
}
