/**
 * Puts the first root file system together: the guest agent as `/init`, the kernel modules it is
 * to load with their order in lists in `/etc/luminaguard`, the base tree at `/base`, and empty
 * folders to mount on. Not compressed: unpacking is slow where the processor is emulated.
 */
import { createBaseTree } from "./base-tree.ts";
import { encodeCpio } from "./cpio.ts";
import type { CpioEntry } from "./cpio.ts";
import type { LoadableModule } from "./kernel-modules.ts";

interface InitramfsParts {
  readonly guest: Uint8Array;
  /** by the list that names them, in the order they are loaded */
  readonly moduleLists: ReadonlyMap<string, readonly LoadableModule[]>;
  readonly busybox: Uint8Array;
  readonly applets: readonly string[];
}

/** `layer` is where packages are mounted, `newroot` where the machine's root is joined. */
const mountPoints = ["dev", "layer", "newroot", "proc", "run", "sys"];

export function encodeInitramfs(parts: InitramfsParts): Buffer {
  const listed = [...parts.moduleLists.values()].flat();
  const modules = [...new Map(listed.map((module) => [module.path, module])).values()];
  const entries: CpioEntry[] = [
    ...mountPoints.map((path): CpioEntry => ({ kind: "directory", path })),
    { kind: "directory", path: "tmp", mode: 0o1777 },
    // the kernel opens its console before /dev is mounted
    { kind: "character-device", path: "dev/console", major: 5, minor: 1 },
    { kind: "character-device", path: "dev/null", mode: 0o666, major: 1, minor: 3 },
    { kind: "file", path: "init", mode: 0o755, content: parts.guest },
    { kind: "directory", path: "etc" },
    { kind: "directory", path: "etc/luminaguard" },
    ...[...parts.moduleLists].map(([list, named]): CpioEntry => ({
      kind: "file",
      path: `etc/luminaguard/${list}`,
      content: Buffer.from(named.map(({ path }) => `/${path}\n`).join("")),
    })),
    ...foldersOf(modules.map((module) => module.path)),
    ...modules.map((module): CpioEntry => ({
      kind: "file",
      path: module.path,
      content: module.content,
    })),
    ...createBaseTree("base", parts.busybox, parts.applets),
  ];
  return encodeCpio(entries);
}

function foldersOf(paths: readonly string[]): CpioEntry[] {
  const folders = new Set<string>();
  for (const path of paths) {
    const parts = path.split("/");
    for (let length = 1; length < parts.length; length += 1)
      folders.add(parts.slice(0, length).join("/"));
  }
  return [...folders].map((path): CpioEntry => ({ kind: "directory", path }));
}
