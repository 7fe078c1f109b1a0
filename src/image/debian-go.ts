/**
 * Brings Debian's Go compiler and its copy of x/net without root: the packages are fetched and
 * unpacked into the build's own folder, and are gone with it.
 */
import { join } from "node:path";
import { isLuminaGuardError } from "../errors.ts";
import { createApt } from "./apt.ts";
import { debianGoPackages, findGo } from "./go-toolchain.ts";
import type { GoToolchain } from "./go-toolchain.ts";
import type { HostTools } from "./host-tools.ts";
import type { ImageArch } from "./manifest.ts";

interface FetchDebianGoOptions {
  readonly tools: HostTools;
  readonly workFolder: string;
  readonly packagesFolder: string;
  readonly listsFolder?: string | undefined;
}

const unpackTimeoutMs = 600_000;
/** the compiler runs on the host; its result may be for another architecture */
const hostArchs: Readonly<Record<string, ImageArch>> = { x64: "amd64", arm64: "arm64" };
const needed = /^golang(?:-go|-src|-\d|-golang-x-)/;

/** Undefined where apt does not have it. */
export async function fetchDebianGo(
  options: FetchDebianGoOptions,
): Promise<GoToolchain | undefined> {
  const { tools, workFolder } = options;
  const arch = hostArchs[process.arch];
  if (arch === undefined) return undefined;
  try {
    const apt = await createApt({ ...options, arch, workFolder: join(workFolder, "apt") });
    const packages = (await apt.resolve(debianGoPackages)).filter((each) => needed.test(each.name));
    const root = join(workFolder, "root");
    for (const path of (await apt.fetch(packages)).values()) {
      await tools.run("dpkg-deb", ["--extract", path, root], { timeoutMs: unpackTimeoutMs });
    }
    return await findGo(tools, { debianRoot: root, path: false });
  } catch (error) {
    if (isLuminaGuardError(error, "IMAGE_BUILD_FAILED")) return undefined;
    throw error;
  }
}
