/** Takes the kernel and its modules out of one of Debian's linux-image packages. */
import { gunzipSync } from "node:zlib";
import { buffer } from "node:stream/consumers";
import { LuminaGuardError } from "../errors.ts";
import { readDeb } from "./deb.ts";
import type { HostTools } from "./host-tools.ts";
import { moduleNameOfPath, parseBuiltin } from "./kernel-modules.ts";
import type { ModuleSource } from "./kernel-modules.ts";
import type { LicenceCollector } from "./licences.ts";

interface KernelPackage {
  /** as `uname -r` has it */
  readonly release: string;
  /** the kernel as Debian ships it */
  readonly kernel: Buffer;
  /** by name; those that may be asked for */
  readonly modules: ReadonlyMap<string, ModuleSource>;
  /** names of modules that are part of the kernel */
  readonly builtin: ReadonlySet<string>;
}

/** folders of modules that no machine here needs; they are most of the package */
const unneeded =
  /\/kernel\/(?:drivers\/(?:net\/[^/]+|gpu|infiniband|media|scsi|usb|hid|input|iio|sound)|sound|net\/(?!vmw_vsock|core))\//;

export async function readKernelPackage(
  tools: HostTools,
  debPath: string,
  licences: LicenceCollector,
): Promise<KernelPackage> {
  const modules = new Map<string, ModuleSource>();
  let builtin = new Set<string>();
  let kernel: { readonly release: string; readonly content: Buffer } | undefined;
  await readDeb(tools, debPath, async (entry) => {
    await licences.visit(entry);
    if (entry.kind !== "file") return;
    const path = entry.path.replace(/^usr\/lib\//, "lib/");
    const release = /^boot\/vmlinu[xz]-(.+)$/.exec(path)?.[1];
    if (release !== undefined) kernel = { release, content: await buffer(entry.content) };
    if (/^lib\/modules\/[^/]+\/modules\.builtin$/.test(path)) {
      builtin = parseBuiltin((await buffer(entry.content)).toString("utf8"));
    }
    const name = moduleNameOfPath(path);
    if (name !== undefined && !unneeded.test(path)) {
      const content = await buffer(entry.content);
      modules.set(name, { path, read: async () => unpackModule(tools, path, content) });
    }
  });
  if (kernel === undefined) {
    throw new LuminaGuardError("IMAGE_BUILD_FAILED", `${debPath} has no kernel in /boot`);
  }
  return { release: kernel.release, kernel: kernel.content, modules, builtin };
}

async function unpackModule(tools: HostTools, path: string, content: Buffer): Promise<Buffer> {
  if (path.endsWith(".ko")) return content;
  if (path.endsWith(".gz")) return gunzipSync(content);
  const program = path.endsWith(".xz") ? "xz" : "zstd";
  const { stdout } = await tools.run(program, ["--decompress", "--stdout"], { input: content });
  return stdout;
}
