/** Picks from an index the image for this processor. */
import type { ImageArch } from "../manifest.ts";
import type { Descriptor, OciIndex, Platform } from "./descriptor.ts";
import { invalidImage, quote } from "./invalid.ts";

/** The image for Linux on the processor; the plainest variant of those it can run. */
export function choosePlatform({ manifests }: OciIndex, arch: ImageArch): Descriptor {
  const fitting = manifests.filter(({ platform }) => runsOn(platform, arch));
  const [chosen] = fitting.sort((a, b) => rank(a.platform) - rank(b.platform));
  if (chosen !== undefined) return chosen;
  // a layout of one image often says no platform; its configuration does
  const [only, ...more] = manifests.filter(({ platform }) => (platform ?? undefined) === undefined);
  if (only !== undefined && more.length === 0) return only;
  const there = manifests.flatMap(({ platform }) => (platform ? [renderPlatform(platform)] : []));
  const known = [...new Set(there)].slice(0, 20).join(", ");
  throw invalidImage(`it is not there for linux/${arch}, but for ${quote(known || "nothing")}`, {
    hint: "machines run on this host's own kind of processor",
  });
}

function runsOn(platform: Platform | null | undefined, arch: ImageArch): boolean {
  return platform?.os === "linux" && platform.architecture === arch;
}

/** amd64 with a variant (v2, v3) wants more than every processor has; arm64's v8 is all there is. */
function rank(platform: Platform | null | undefined): number {
  const variant = platform?.variant ?? "";
  return variant === "" || variant === "v8" ? 0 : 1;
}

function renderPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== undefined && part !== "").join("/");
}
