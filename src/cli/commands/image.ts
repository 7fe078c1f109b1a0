/** `luminaguard image`: what machines boot from. */
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { renderBytes } from "../../runtime/values.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";
import { createProgress } from "../progress.ts";
import { watchSignals } from "../signals.ts";

interface JsonOption {
  readonly json?: boolean;
}

export async function imageBuild(
  io: CliIo,
  name: string,
  { packages = [], json }: JsonOption & { readonly packages?: readonly string[] },
): Promise<number> {
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const progress = createProgress(io);
  const startedAt = performance.now();
  try {
    const onProgress = json === true ? undefined : progress.show;
    const image = await lumina.images.build(
      { name, packages },
      { signal: signals.signal, ...(onProgress && { onProgress }) },
    );
    progress.clear();
    const bytes = image.manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    if (json === true) printJson(io, { name, digest: image.digest, bytes, packages });
    else {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      say(
        io,
        `built ${name} in ${seconds} s · ${renderBytes(bytes)} · ${image.digest.slice(0, 19)}`,
      );
    }
    return exitCodes.done;
  } catch (error) {
    if (signals.exitCode !== undefined) return signals.exitCode;
    throw error;
  } finally {
    progress.clear();
  }
}

export async function imageLs(io: CliIo, { json }: JsonOption): Promise<number> {
  await using lumina = await createLuminaGuard();
  const images = await lumina.images.list();
  if (json === true) {
    printJson(
      io,
      images.map(({ name, digest, bytes, builtAtMs, manifest }) => ({
        name,
        digest,
        bytes,
        builtAt: new Date(builtAtMs).toISOString(),
        packages: manifest?.requested ?? null,
      })),
    );
    return exitCodes.done;
  }
  if (images.length === 0) say(io, "no images yet; luminaguard image build base  makes the first");
  for (const { name, digest, bytes, manifest } of images) {
    const packages =
      manifest === undefined ? "broken: build it again" : manifest.requested.join(",");
    const row = [name.padEnd(16), digest.slice(0, 19), renderBytes(bytes).padStart(9), packages];
    io.stdout.write(`${row.join("  ").trimEnd()}\n`);
  }
  return exitCodes.done;
}

export async function imageRm(io: CliIo, name: string): Promise<number> {
  await using lumina = await createLuminaGuard();
  await lumina.images.remove(name);
  say(io, `removed ${name}`);
  return exitCodes.done;
}
