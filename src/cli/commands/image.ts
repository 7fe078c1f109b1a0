/** `luminaguard image`: what machines boot from. */
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import type { LuminaGuard } from "../../runtime/luminaguard.ts";
import { renderBytes } from "../../runtime/values.ts";
import type { BuildProgress, Image } from "../../runtime/values.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";
import { createProgress } from "../progress.ts";
import { watchSignals } from "../signals.ts";

interface JsonOption {
  readonly json?: boolean;
}

interface BuildCommandOptions extends JsonOption {
  readonly packages?: readonly string[];
  readonly arch?: string;
}

export async function imageBuild(
  io: CliIo,
  name: string,
  { packages = [], arch, json }: BuildCommandOptions,
): Promise<number> {
  const wanted = { name, packages, ...(arch === undefined ? {} : { arch }) };
  return make(io, { verb: "built", json, facts: { packages } }, (lumina, { signal, onPhase }) =>
    lumina.images.build(wanted, { signal, ...(onPhase && { onProgress: onPhase }) }),
  );
}

export async function imagePull(
  io: CliIo,
  reference: string,
  options: JsonOption & { readonly name?: string; readonly dockerConfig?: string },
): Promise<number> {
  const { name, dockerConfig: dockerConfigPath, json } = options;
  return make(io, { verb: "pulled", json, facts: { reference } }, (lumina, work) =>
    lumina.host.pullImage({ reference, name, dockerConfigPath }, work),
  );
}

export async function imageImport(
  io: CliIo,
  path: string,
  options: JsonOption & { readonly name?: string; readonly tag?: string },
): Promise<number> {
  const { name, tag, json } = options;
  return make(io, { verb: "imported", json, facts: { path } }, (lumina, work) =>
    lumina.host.importImage({ path, name, tag }, work),
  );
}

interface MakeWords {
  readonly verb: string;
  readonly json: boolean | undefined;
  /** what was asked for, as the JSON document repeats it */
  readonly facts: Readonly<Record<string, unknown>>;
}

interface MakeOptions {
  readonly signal: AbortSignal;
  readonly onPhase: ((phase: BuildProgress) => void) | undefined;
}

/** Makes one image while a person sees how far it is. */
async function make(
  io: CliIo,
  { verb, json, facts }: MakeWords,
  work: (lumina: LuminaGuard, options: MakeOptions) => Promise<Image>,
): Promise<number> {
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const progress = createProgress(io);
  const startedAt = performance.now();
  try {
    const onPhase = json === true ? undefined : progress.show;
    const { name, digest, manifest } = await work(lumina, { signal: signals.signal, onPhase });
    progress.clear();
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    if (json === true) printJson(io, { name, digest, bytes, ...facts });
    else {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      const what = `${renderBytes(bytes)} · ${digest.slice(0, 19)}`;
      say(io, `${verb} ${name} in ${seconds} s · ${what}`);
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
