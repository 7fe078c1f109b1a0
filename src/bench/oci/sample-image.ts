/**
 * An image of 100 MB in a registry, made and pushed by Debian's tools: busybox, and files cut from
 * the program that runs this, whose code packs as programs do.
 */
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readBusybox } from "../floor/floor-image.ts";
import { runProgram } from "../../process/run-program.ts";

interface SampleImageOptions {
  readonly initramfsPath: string;
  /** for what is needed to make it */
  readonly folder: string;
  readonly registryHost: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** of the files that are not packed, in `bytes` */
export const sampleBytes = 100_000_000;
export const sampleFileBytes = 65_536;
const filesPerFolder = 64;
const timeoutMs = 120_000;

/** Gives the image's reference. */
export async function pushSampleImage(options: SampleImageOptions): Promise<string> {
  const { initramfsPath, folder, registryHost, env, signal } = options;
  const root = join(folder, "root");
  await mkdir(join(root, "bin"), { recursive: true });
  await writeFile(join(root, "bin/busybox"), await readBusybox(initramfsPath));
  await chmod(join(root, "bin/busybox"), 0o755);
  await symlink("busybox", join(root, "bin/true"));
  await writeData(join(root, "data"), await readFile(process.execPath));
  const layout = join(folder, "layout");
  const image = ["--image", `${layout}:1`];
  const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
  const umoci = async (...args: readonly string[]): Promise<unknown> =>
    runProgram("umoci", args, { env, signal, timeoutMs });
  await umoci("init", "--layout", layout);
  await umoci("new", ...image);
  await umoci("insert", ...rootless, ...image, root, "/");
  const reference = `${registryHost}/bench/sample:1`;
  const copy = ["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"];
  const push = [...copy, `oci:${layout}:1`, `docker://${reference}`];
  await runProgram("skopeo", push, { env, signal, timeoutMs });
  return reference;
}

/** No two files are the same: each time the source is used up, its bytes are changed by another number. */
async function writeData(folder: string, source: Buffer): Promise<void> {
  for (let file = 0; file * sampleFileBytes < sampleBytes; file += 1) {
    const start = file * sampleFileBytes;
    const bytes = Buffer.alloc(Math.min(sampleFileBytes, sampleBytes - start));
    for (let at = 0; at < bytes.length; at += 1) {
      const from = start + at;
      bytes[at] = (source[from % source.length] ?? 0) ^ Math.floor(from / source.length);
    }
    const path = join(folder, String(Math.floor(file / filesPerFolder)), String(file));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
}
