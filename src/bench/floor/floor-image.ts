/**
 * What the floor boots: the image's own kernel, and an initramfs with one small C program, the
 * modules of the wire, and the image's busybox for `true` and `echo`.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LuminaGuardError } from "../../errors.ts";
import { encodeCpio } from "../../image/cpio.ts";
import type { CpioEntry } from "../../image/cpio.ts";
import { runProgram } from "../../process/run-program.ts";
import type { VmImage } from "../../vm/spec.ts";
import { readInitramfs } from "./read-initramfs.ts";

export interface FloorImageOptions {
  readonly image: VmImage;
  /** C source of the one-byte agent */
  readonly sourcePath: string;
  /** where what is built goes */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** in the image's initramfs */
const modulesList = "etc/luminaguard/modules";
const busybox = "base/usr/bin/busybox";
/** the wire on each kind of bus; what the image loads beside them the floor does without */
const wireModule = /\/virtio(_ring|_mmio|_pci|_pci_modern_dev|_pci_legacy_dev|_console)?\.ko$/;

/** Raises TOOL_MISSING without a C compiler, PROCESS_FAILED when it cannot link statically. */
export async function buildFloorImage(options: FloorImageOptions): Promise<VmImage> {
  const { image, sourcePath, folder, env, signal } = options;
  const agentPath = join(folder, "floor-agent");
  const flags = ["-static", "-Os", "-s", "-Wall", "-o", agentPath, sourcePath];
  await runProgram("cc", flags, { env, signal });
  const files = readInitramfs(await readFile(image.initramfsPath));
  const modules = fileOf(files, modulesList)
    .toString("utf8")
    .split("\n")
    .filter((path) => wireModule.test(path))
    .map((path, index) => ({ path: `m${index}.ko`, content: fileOf(files, path.slice(1)) }));
  const entries: CpioEntry[] = [
    { kind: "directory", path: "dev" },
    { kind: "character-device", path: "dev/console", major: 5, minor: 1 },
    { kind: "file", path: "init", mode: 0o755, content: await readFile(agentPath) },
    { kind: "file", path: "modules", content: lines(modules.map(({ path }) => `/${path}`)) },
    ...modules.map(({ path, content }): CpioEntry => ({ kind: "file", path, content })),
    { kind: "directory", path: "bin" },
    { kind: "file", path: "bin/busybox", mode: 0o755, content: fileOf(files, busybox) },
    { kind: "symlink", path: "bin/true", target: "busybox" },
    { kind: "symlink", path: "bin/echo", target: "busybox" },
  ];
  const initramfsPath = join(folder, "floor-initramfs");
  await writeFile(initramfsPath, encodeCpio(entries));
  return { digest: image.digest, kernelPath: image.kernelPath, initramfsPath };
}

/** The image's busybox, which needs no library. Raises IMAGE_INVALID. */
export async function readBusybox(initramfsPath: string): Promise<Buffer> {
  return fileOf(readInitramfs(await readFile(initramfsPath)), busybox);
}

function lines(texts: readonly string[]): Buffer {
  return Buffer.from(texts.map((text) => `${text}\n`).join(""));
}

function fileOf(files: ReadonlyMap<string, Buffer>, path: string): Buffer {
  const found = files.get(path);
  if (found !== undefined) return found;
  throw new LuminaGuardError("IMAGE_INVALID", `the image's initramfs has no ${path}`, {
    hint: "build it again: luminaguard image build base",
  });
}
