/** An image of a registry, from nothing to the first exec answered, beside the tools that do the same. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isLuminaGuardError, LuminaGuardError } from "../../errors.ts";
import { createImageStore } from "../../image/image-store.ts";
import { runProgram } from "../../process/run-program.ts";
import type { BenchContext } from "../bench-context.ts";
import type { Floor } from "../floor/floor.ts";
import { interleave, timed } from "../interleave.ts";
import type { Measurement } from "../measurement.ts";
import { startLocalRegistry } from "../oci/local-registry.ts";
import { pushSampleImage, sampleBytes, sampleFileBytes } from "../oci/sample-image.ts";
import { renderNumber } from "../row.ts";
import { summarize } from "../statistics.ts";
import { timeRawBoot } from "./cold-boot.ts";

const timeoutMs = 120_000;
/** each with what it answers to without doing anything, and Debian's package that has it */
const tools = [
  { program: "docker-registry", args: ["--version"], debian: "docker-registry" },
  { program: "skopeo", args: ["--version"], debian: "skopeo" },
  { program: "umoci", args: ["--version"], debian: "umoci" },
  { program: "mksquashfs", args: ["-version"], debian: "squashfs-tools" },
] as const;

export const ociImage: Measurement = {
  name: "oci-image",
  group: "vm",
  unit: "ms",
  what: `OCI image of ${sampleBytes / 1e6} MB pulled, unpacked and first booted`,
  floorIs: "skopeo copy, umoci unpack, mksquashfs, and a raw cold boot as in cold-boot",
  goal: { kind: "ratio-at-most", ratio: 1.5 },
  method: `Debian's docker-registry on loopback holds an image of one gzip layer: busybox and ${sampleBytes / 1e6} MB cut from Node's program, in files of ${sampleFileBytes / 1024} KiB. Each sample pulls it into an empty cache, as image pull does, and boots a machine of it behind its walls; the time ends when \`true\` is answered. The making of a template is not part of it. The floor copies the image into an empty folder, unpacks it, packs its files with the settings that mksquashfs has by itself (gzip; our image is not packed, so the parts are noted), and boots as in cold-boot, one after another.`,
  run: async (context, samples, signal) => {
    await requireTools(context, signal);
    const { floor, notes } = await context.floor(signal);
    const folder = join(context.folder, "oci");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { env } = context;
    await using registry = await startLocalRegistry({ folder, env, signal });
    const place = { folder, registryHost: registry.host, env, signal };
    const { initramfsPath } = context.image;
    const reference = await pushSampleImage({ initramfsPath, ...place });
    const sample: Sample = { context, reference, folder: join(folder, "sample"), signal };
    const steps = new Steps();
    const bare = floor && (() => afresh(sample, () => timeTools(sample, floor, steps)));
    const ours = (): Promise<number> => afresh(sample, () => timePull(sample, steps));
    const series = await interleave(context, samples, signal, ours, bare);
    return { ...series, notes: [...notes, ...steps.render()] };
  },
};

interface Sample {
  readonly context: BenchContext;
  readonly reference: string;
  /** empty at the beginning of each sample */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** How long the parts took, for the notes. The first time of each is not counted, as in `interleave`. */
class Steps {
  readonly #times = new Map<string, number[]>();

  async time(name: string, work: () => Promise<unknown>): Promise<number> {
    const ms = await timed(work);
    this.#times.set(name, [...(this.#times.get(name) ?? []), ms]);
    return ms;
  }

  render(): readonly string[] {
    const parts = [...this.#times].map(([name, values]) => {
      return `${name} ${renderNumber(summarize(values.slice(1))?.median)} ms`;
    });
    return [`medians of the parts: ${parts.join(", ")}`];
  }
}

async function afresh(
  { folder }: Pick<Sample, "folder">,
  work: () => Promise<number>,
): Promise<number> {
  await mkdir(folder, { mode: 0o700 });
  try {
    return await work();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function timePull(
  { context, reference, folder, signal }: Sample,
  steps: Steps,
): Promise<number> {
  const { env } = context;
  const store = createImageStore({ cacheDir: folder, env });
  const pullMs = await steps.time("pull", () =>
    store.pull({ reference, base: context.image }, { signal }),
  );
  const image = await store.open(reference, { signal });
  const bootMs = await steps.time("first boot", async () => {
    await using machine = await context.boot(signal, image);
    await machine.exec(["true"], { cwd: "/", signal });
  });
  return pullMs + bootMs;
}

async function timeTools(
  { context, reference, folder, signal }: Sample,
  floor: Floor,
  steps: Steps,
): Promise<number> {
  const options = { env: context.env, signal, timeoutMs };
  const [layout, bundle] = [join(folder, "layout"), join(folder, "bundle")];
  const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
  const commands = {
    skopeo: ["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false"].concat(
      `docker://${reference}`,
      `oci:${layout}:1`,
    ),
    umoci: ["unpack", ...rootless, "--image", `${layout}:1`, bundle],
    mksquashfs: [join(bundle, "rootfs"), join(folder, "root.squashfs"), "-quiet", "-no-progress"],
  };
  let ms = 0;
  for (const [program, args] of Object.entries(commands))
    ms += await steps.time(program, () => runProgram(program, args, options));
  return ms + (await steps.time("raw boot", () => timeRawBoot(context, floor, signal)));
}

async function requireTools({ env }: BenchContext, signal: AbortSignal): Promise<void> {
  const missing: string[] = [];
  for (const { program, args, debian } of tools) {
    try {
      await runProgram(program, args, { env, signal, allowFailure: true });
    } catch (error) {
      if (!isLuminaGuardError(error, "TOOL_MISSING")) throw error;
      missing.push(debian);
    }
  }
  if (missing.length === 0) return;
  throw new LuminaGuardError(
    "TOOL_MISSING",
    `missing: apt-get install --no-install-recommends ${missing.join(" ")}`,
  );
}
