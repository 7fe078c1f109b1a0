/** Takes the single things out of Debian packages that a base image has of them. */
import { buffer } from "node:stream/consumers";
import { LuminaGuardError } from "../errors.ts";
import { readDeb } from "./deb.ts";
import type { HostTools } from "./host-tools.ts";
import type { LicenceCollector } from "./licences.ts";

/** busybox itself, a static program */
export async function readBusybox(
  tools: HostTools,
  debPath: string,
  licences: LicenceCollector,
): Promise<Buffer> {
  let busybox: Buffer | undefined;
  await readDeb(tools, debPath, async (entry) => {
    await licences.visit(entry);
    if (entry.kind === "file" && entry.path === "usr/bin/busybox")
      busybox = await buffer(entry.content);
  });
  if (busybox !== undefined) return busybox;
  throw new LuminaGuardError("IMAGE_BUILD_FAILED", `${debPath} has no busybox`);
}

/** Only the licence texts of a package. */
export async function readLicences(
  tools: HostTools,
  debPath: string,
  licences: LicenceCollector,
): Promise<void> {
  await readDeb(tools, debPath, licences.visit);
}
