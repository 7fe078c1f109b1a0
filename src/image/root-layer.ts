/**
 * Makes one read-only file system of Debian packages, unpacked without running their scripts.
 * Owners, modes and times are the packages' own, so the same packages give the same bytes, for an
 * ordinary user and for root. Not compressed: reading compressed blocks is slow where the
 * processor is emulated.
 */
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
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
import { createSquashfs } from "./squashfs.ts";
import type { SquashfsWriter } from "./squashfs.ts";

interface RootLayerOptions {
  readonly tools: HostTools;
  /** paths of the packages, in the order they are unpacked; the first to bring a path has it */
  readonly debPaths: readonly string[];
  readonly licences: LicenceCollector;
  readonly outputPath: string;
}

/** 2 January 1980 UTC: the time of what no package brought; zip archives begin in 1980 */
const ownTimeS = 315_619_200;
/** documentation; licence texts are kept beside the image */
const stripped =
  /^usr\/share\/(?:bug|common-licenses|doc|doc-base|gtk-doc|info|linda|lintian|locale|man)(?:\/|$)/;

export async function buildRootLayer(options: RootLayerOptions): Promise<void> {
  const layer = await createSquashfs(options.outputPath, ownTimeS);
  try {
    const certificates = new Map<string, Buffer>();
    for (const debPath of options.debPaths) {
      await readDeb(options.tools, debPath, async (entry) => {
        await options.licences.visit(entry);
        if (!stripped.test(entry.path)) await addEntry(layer, entry, certificates);
      });
    }
    await addFixes(layer, certificates);
  } catch (error) {
    await layer.abandon();
    throw error;
  }
  await layer.finish();
}

async function addEntry(
  layer: SquashfsWriter,
  entry: DebEntry,
  certificates: Map<string, Buffer>,
): Promise<void> {
  if (layer.has(entry.path)) return;
  if (entry.kind === "link") {
    if (!layer.link(entry.path, entry.target)) throw danglingLink(entry.path, entry.target);
    return;
  }
  if (entry.kind !== "file" || !isRootCertificate(entry.path)) {
    await layer.add(entry);
    return;
  }
  const content = await buffer(entry.content);
  certificates.set(entry.path, content);
  await layer.add({ ...entry, content: Readable.from([content]) });
}

/** Adds what package scripts would have made. */
async function addFixes(
  layer: SquashfsWriter,
  certificates: ReadonlyMap<string, Buffer>,
): Promise<void> {
  const own = { uid: 0, gid: 0, mtimeS: ownTimeS };
  const links = findAlternatives(layer.paths());
  if (certificates.size > 0 && !layer.has(certificateBundlePath)) {
    const bundle = bundleCertificates(certificates);
    const content = Readable.from([bundle]);
    const bytes = bundle.length;
    await layer.add({
      ...own,
      path: certificateBundlePath,
      kind: "file",
      mode: 0o644,
      bytes,
      content,
    });
    if (!layer.has(certificateLink.path)) links.push(certificateLink);
  }
  for (const link of links) await layer.add({ ...own, ...link, kind: "symlink", mode: 0o777 });
}

function danglingLink(path: string, target: string): LuminaGuardError {
  return new LuminaGuardError(
    "IMAGE_BUILD_FAILED",
    `a package links ${path} to ${target}, which is not there`,
  );
}
