/**
 * Gathers the licence texts that go with an image: each package's own
 * /usr/share/doc/NAME/copyright, the common texts it refers to, and those of what is linked into
 * the guest agent. Debian Policy 12.5 says where they are.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { DebEntry } from "./deb.ts";

export interface LicenceCollector {
  /** takes a licence text where the entry is one; others are left as they are */
  readonly visit: (entry: DebEntry) => Promise<void>;
  /** files to write, by path below `licences/`, of these packages */
  readonly files: (packages: readonly string[]) => Map<string, Buffer>;
}

const copyrightPath = /^usr\/share\/doc\/([^/]+)\/copyright$/;
const docLinkPath = /^usr\/share\/doc\/([^/]+)$/;
const commonPath = /^usr\/share\/common-licenses\/([^/]+)$/;
const commonReference = /\/usr\/share\/common-licenses\/([A-Za-z0-9][A-Za-z0-9.+-]*[A-Za-z0-9])/g;
const linksMax = 8;

export function createLicenceCollector(): LicenceCollector {
  const copyrights = new Map<string, Buffer>();
  const docLinks = new Map<string, string>();
  const commons = new Map<string, Buffer>();
  const commonLinks = new Map<string, string>();

  return {
    visit: async (entry) => {
      const common = commonPath.exec(entry.path)?.[1];
      const documented = copyrightPath.exec(entry.path)?.[1];
      const linked = docLinkPath.exec(entry.path)?.[1];
      if (entry.kind === "file" && common !== undefined)
        commons.set(common, await buffer(entry.content));
      if (entry.kind === "file" && documented !== undefined)
        copyrights.set(documented, await buffer(entry.content));
      if (entry.kind !== "symlink") return;
      if (common !== undefined) commonLinks.set(common, lastPart(entry.target));
      // a package may share the folder, or only the text, of another one of the same source
      if (linked !== undefined) docLinks.set(linked, lastPart(entry.target));
      if (documented !== undefined) docLinks.set(documented, lastPart(dirname(entry.target)));
    },
    files: (packages) => {
      const files = new Map<string, Buffer>();
      for (const name of [...packages].sort()) {
        const text = copyrights.get(follow(name, docLinks));
        if (text !== undefined) files.set(`${name}/copyright`, text);
      }
      for (const name of referenced([...files.values()])) {
        const text = commons.get(follow(name, commonLinks));
        if (text !== undefined) files.set(`common-licenses/${name}`, text);
      }
      return files;
    },
  };
}

/** Names of common licences that the texts point to, sorted. */
function referenced(texts: readonly Buffer[]): string[] {
  const names = new Set<string>();
  for (const text of texts) {
    for (const [, name] of text.toString("utf8").matchAll(commonReference))
      if (name !== undefined) names.add(name);
  }
  return [...names].sort();
}

function follow(name: string, links: ReadonlyMap<string, string>): string {
  let current = name;
  for (let step = 0; step < linksMax; step += 1) {
    const next = links.get(current);
    if (next === undefined) return current;
    current = next;
  }
  return current;
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export async function writeLicences(
  folder: string,
  files: ReadonlyMap<string, Buffer>,
): Promise<void> {
  for (const [path, text] of files) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await writeFile(target, text);
  }
}
