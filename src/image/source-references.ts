/**
 * The text that goes with an image and says where the source of each part is, as the GPL and the
 * LGPL ask for. Versions are exact; Debian keeps every version it ever published.
 */
import type { ManifestPackage, SourceReference } from "./manifest.ts";

export function renderSources(
  packages: readonly ManifestPackage[],
  guestSourcesSha256: string,
): string {
  const sources = new Map<string, SourceReference>();
  for (const each of packages) {
    for (const source of [each.source, ...each.builtUsing])
      sources.set(`${source.name}=${source.version}`, source);
  }
  const commands = [...sources.keys()]
    .sort()
    .map((spec) => `apt-get source --download-only ${spec}\n`);
  return `The corresponding source of this image

The programs in it are unchanged Debian packages. Their sources are Debian source packages of
exactly these versions, which a Debian host with "deb-src" entries gets with the commands below.
Versions that the mirrors no longer have are at https://snapshot.debian.org/package/NAME/VERSION/.

${commands.join("")}
The guest agent (/init) is part of LuminaGuard; its source is the folder guest/ of the LuminaGuard
package that built this image (digest of the sources: sha256 ${guestSourcesSha256}).

The licence texts are in the folder licences/.
`;
}
