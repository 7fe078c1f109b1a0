/**
 * Picks the kernel modules a machine needs out of a kernel package and puts them in the order they
 * are to be loaded: each after everything it depends on, so that the guest can insert them one by
 * one without tools. What the kernel has built in is left out.
 */
import { LuminaGuardError } from "../errors.ts";
import { moduleName, parseDepends } from "./elf-modinfo.ts";
import type { ImageArch } from "./manifest.ts";

/** what every machine loads: the wire on each kind of bus, and its root */
const always = "modules";

/**
 * Modules by the list that names them. A list behind the first is for machines that have a virtio
 * device of that number (virtio 1.2, chapter 5): most have none of them, and loading is slow where
 * the processor is emulated.
 */
const neededByAll: Readonly<Record<string, readonly string[]>> = {
  [always]: ["virtio_mmio", "virtio_pci", "virtio_console", "overlay"],
  "modules-0x0001": ["virtio_net"],
  "modules-0x0002": ["virtio_blk", "squashfs"],
  "modules-0x0004": ["virtio_rng"],
  "modules-0x0013": ["vsock", "vmw_vsock_virtio_transport"],
};

/** Rosetta, the one shared folder there is, comes with Apple's own processors alone. */
const neededByArm64 = { "modules-0x001a": ["virtiofs", "binfmt_misc"] };

export function neededModules(arch: ImageArch): Readonly<Record<string, readonly string[]>> {
  return arch === "arm64" ? { ...neededByAll, ...neededByArm64 } : neededByAll;
}

/** The modules of one kernel package, by name. */
export interface ModuleSource {
  /** path below `/`, such as `lib/modules/6.1.0-56-cloud-amd64/kernel/fs/squashfs/squashfs.ko` */
  readonly path: string;
  /** the ELF file, unpacked where the package has it compressed */
  readonly read: () => Promise<Buffer>;
}

export interface LoadableModule {
  readonly name: string;
  /** path below `/`, without a suffix of compression */
  readonly path: string;
  readonly content: Buffer;
}

const modulePath =
  /^lib\/modules\/[^/]+\/(?:kernel|extra|updates)\/.*\/([^/]+)\.ko(?:\.xz|\.gz|\.zst)?$/;

/** The module's name when the path is one of a module. */
export function moduleNameOfPath(path: string): string | undefined {
  const name = modulePath.exec(path)?.[1];
  return name === undefined ? undefined : moduleName(name);
}

/** Names in a `modules.builtin` file: one path a line. */
export function parseBuiltin(text: string): Set<string> {
  const names = text.split("\n").map((line) => /([^/]+)\.ko$/.exec(line.trim())?.[1]);
  return new Set(names.filter((name) => name !== undefined).map(moduleName));
}

/** Each list in the order it is loaded; the later ones without what the first one has loaded. */
export async function listModules(
  modules: ReadonlyMap<string, ModuleSource>,
  builtin: ReadonlySet<string>,
  arch: ImageArch,
): Promise<ReadonlyMap<string, readonly LoadableModule[]>> {
  const needed = neededModules(arch);
  const first = await orderModules(needed[always] ?? [], modules, builtin);
  const loaded = new Set([...builtin, ...first.map(({ name }) => name)]);
  const lists = new Map([[always, first]]);
  for (const [list, wanted] of Object.entries(needed)) {
    if (list !== always) lists.set(list, await orderModules(wanted, modules, loaded));
  }
  return lists;
}

/**
 * The wanted modules and all they need, each after what it needs. Depth first in the given order,
 * so equal input gives equal output.
 */
export async function orderModules(
  wanted: readonly string[],
  modules: ReadonlyMap<string, ModuleSource>,
  builtin: ReadonlySet<string>,
): Promise<LoadableModule[]> {
  const ordered: LoadableModule[] = [];
  const done = new Set<string>();
  const visit = async (name: string, path: readonly string[]): Promise<void> => {
    if (done.has(name) || builtin.has(name)) return;
    if (path.includes(name))
      throw broken(`modules need each other: ${[...path, name].join(" → ")}`);
    const source = modules.get(name);
    if (source === undefined) throw broken(`the kernel package has no module ${name}`);
    const content = await source.read();
    for (const needed of parseDepends(content, source.path)) await visit(needed, [...path, name]);
    done.add(name);
    ordered.push({ name, path: source.path.replace(/\.ko\.[a-z]+$/, ".ko"), content });
  };
  for (const name of wanted) await visit(moduleName(name), []);
  return ordered;
}

function broken(message: string): LuminaGuardError {
  return new LuminaGuardError("IMAGE_BUILD_FAILED", message, {
    hint: "use Debian's linux-image-cloud kernel, which has the drivers a machine needs",
  });
}
