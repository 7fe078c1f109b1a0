/**
 * Chooses how machines run on this host by booting one. A device that opens proves nothing: a KVM
 * that cannot run a kernel hangs instead of failing, so each candidate gets a deadline, and the
 * verdict is kept with its reason. The only file that names backends.
 */
import { createHash } from "node:crypto";
import { access, constants, readFile, realpath } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { PausableClock } from "../base/clock.ts";
import { LuminaGuardError, isLuminaGuardError, messageOf } from "../errors.ts";
import { findQemu } from "./backends/qemu/qemu-binary.ts";
import type { QemuBinary } from "./backends/qemu/qemu-binary.ts";
import type { Accelerator, Architecture } from "./backends/qemu/qemu-args.ts";
import { QemuHypervisor } from "./backends/qemu/qemu.ts";
import { TemplateStore } from "./template-store.ts";
import { isBehindWalls } from "./confinement.ts";
import type { ConfinementTools } from "./confinement.ts";
import type { Greeter, Hypervisor } from "./hypervisor.ts";
import { resolveVmSpec } from "./spec.ts";
import type { VmImage } from "./spec.ts";
import { correctTscKhz, guessTscKhz } from "./time-stamp-counter.ts";
import type { VerdictCache } from "./verdict-cache.ts";

export interface SelectOptions {
  readonly cacheDir: string;
  readonly runtimeDir: string;
  readonly architecture: Architecture;
  readonly platform: NodeJS.Platform;
  readonly searchPath: string;
  readonly tools: ConfinementTools;
  readonly cache: VerdictCache;
  /** what the canary boots */
  readonly image: VmImage;
  /** SHA-256 of the kernel: with another kernel the canary may end otherwise */
  readonly kernelSha256: string;
  readonly greeter: Greeter;
  /** ask the host again, whatever is cached
   * @default false */
  readonly fresh?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What became of one way to run machines. */
export interface CanaryResult {
  readonly accelerator: Accelerator;
  readonly booted: boolean;
  readonly reason: string;
  readonly durationMs: number;
  /** the host's time-stamp counter in `kHz`, where machines count by it */
  readonly tscKhz?: number | undefined;
}

export interface Selection {
  readonly hypervisor: Hypervisor;
  readonly qemuVersion: string;
  /** every candidate that was tried, best first */
  readonly canaries: readonly CanaryResult[];
}

/** longest a canary may take, in `ms`: with hardware a boot takes well under 1 s, emulated about 2 s */
const deadlinesMs: Readonly<Record<Accelerator, number>> = {
  kvm: 5_000,
  hvf: 5_000,
  whpx: 10_000,
  tcg: 60_000,
};
const canaryMemoryMib = 128;

const accelerators = ["tcg", "kvm", "hvf", "whpx"] as const;
const canariesSchema = v.array(
  v.object({
    accelerator: v.picklist(accelerators),
    booted: v.boolean(),
    reason: v.string(),
    durationMs: v.number(),
    tscKhz: v.optional(v.number()),
  }),
);

/** Raises HYPERVISOR_UNAVAILABLE when nothing boots, TOOL_MISSING without QEMU. */
export async function selectHypervisor(options: SelectOptions): Promise<Selection> {
  requireWalls(options.tools);
  const qemu = await findQemu(options.architecture, options.searchPath, options.cache);
  await requireVisible(qemu.path, options.tools);
  const key = `canary 2 ${await fingerprintHost(options, qemu)}`;
  const cached = options.fresh === true ? undefined : await readCached(options.cache, key);
  const canaries = cached ?? (await runCanaries(options));
  if (cached === undefined) await options.cache.set(key, JSON.stringify(canaries));
  const chosen = canaries.find(({ booted }) => booted);
  if (chosen === undefined) {
    throw new LuminaGuardError("HYPERVISOR_UNAVAILABLE", "no machine boots on this host", {
      hint: "luminaguard doctor says what was tried",
      details: { canaries },
    });
  }
  return {
    hypervisor: createQemu(options, chosen, true),
    qemuVersion: qemu.version,
    canaries,
  };
}

/** Behind walls there are system folders only: nothing of a person's, and no program of theirs. */
async function requireVisible(path: string, { namespaces }: ConfinementTools): Promise<void> {
  if (!namespaces || isBehindWalls(await realpath(path))) return;
  throw new LuminaGuardError("TOOL_MISSING", `${path} cannot be started behind walls`, {
    hint: "put QEMU below /usr: Debian's packages do, and make install with --prefix=/usr/local",
  });
}

/** Root's hypervisors run as users of their own, who can only reach their files through namespaces. */
function requireWalls({ asRoot, namespaces }: ConfinementTools): void {
  if (!asRoot || namespaces) return;
  throw new LuminaGuardError(
    "HYPERVISOR_UNAVAILABLE",
    "root may not run machines that cannot be confined",
    {
      hint: "luminaguard doctor says why; install bubblewrap where it is missing, or run as an ordinary user",
    },
  );
}

function createQemu(
  options: SelectOptions,
  { accelerator, tscKhz }: Pick<CanaryResult, "accelerator" | "tscKhz">,
  templates: boolean,
): QemuHypervisor {
  const { architecture, runtimeDir, searchPath, tools, cacheDir, cache } = options;
  const canFreeze = accelerator !== "whpx"; // it registers a blocker against saving a machine
  const store = templates && canFreeze ? new TemplateStore(join(cacheDir, "templates")) : undefined;
  return new QemuHypervisor({
    accelerator,
    architecture,
    runtimeDir,
    searchPath,
    tools,
    versions: cache,
    templates: store,
    tscKhz,
  });
}

async function runCanaries(options: SelectOptions): Promise<readonly CanaryResult[]> {
  const results: CanaryResult[] = [];
  for (const accelerator of await listCandidates(options)) {
    const result = await runCanary(options, accelerator);
    results.push(result);
    if (result.booted) break;
  }
  return results;
}

async function listCandidates({ platform }: SelectOptions): Promise<readonly Accelerator[]> {
  if (platform === "darwin") return ["hvf", "tcg"];
  if (platform === "win32") return ["whpx", "tcg"];
  const usable = await access("/dev/kvm", constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  return usable ? ["kvm", "tcg"] : ["tcg"];
}

async function runCanary(options: SelectOptions, accelerator: Accelerator): Promise<CanaryResult> {
  const startedAt = performance.now();
  const deadlineMs = deadlinesMs[accelerator];
  const guessKhz = accelerator === "tcg" ? await guessTscKhz() : undefined;
  const result = (booted: boolean, reason: string): CanaryResult => {
    return { accelerator, booted, reason, durationMs: Math.round(performance.now() - startedAt) };
  };
  try {
    const spec = resolveVmSpec({
      image: options.image,
      memoryMib: canaryMemoryMib,
      bootTimeoutMs: deadlineMs,
    });
    const hypervisor = createQemu(options, { accelerator, tscKhz: guessKhz }, false);
    const { greeter, signal } = options;
    const clock = new PausableClock();
    const onFrozen = (isFrozen: boolean): void => clock.setPaused(isFrozen);
    const vm = await hypervisor.spawn({ spec, greeter, clock, onFrozen }, signal);
    const booted = result(true, "the canary machine booted");
    try {
      if (guessKhz === undefined) return booted;
      const rate = await options.greeter.measureClock(options.signal);
      return { ...booted, tscKhz: correctTscKhz(guessKhz, rate) };
    } finally {
      await vm.kill();
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    // these say nothing about the accelerator
    if (isLuminaGuardError(error, "HOST_LIMIT") || isLuminaGuardError(error, "FROZEN")) throw error;
    if (!isLuminaGuardError(error, "TIMEOUT")) return result(false, shorten(messageOf(error)));
    return result(false, `kernel did not boot in ${deadlineMs / 1000} s`);
  }
}

/** QEMU says which program and option speak before it says what is wrong. */
function shorten(message: string): string {
  return message.replace(/^.*: -accel \w+: (failed to initialize \w+: )?/, "");
}

/** What a verdict depends on: another kernel, QEMU, guest or processor is another host. */
async function fingerprintHost(options: SelectOptions, qemu: QemuBinary): Promise<string> {
  const cpuinfo = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const flags = /^flags\s*:.*$/m.exec(cpuinfo)?.[0] ?? "";
  const candidates = await listCandidates(options);
  const { asRoot, namespaces } = options.tools;
  const facts = [
    release(),
    qemu.fingerprint,
    options.kernelSha256,
    flags,
    candidates,
    { asRoot, namespaces },
  ];
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
}

async function readCached(
  cache: VerdictCache,
  key: string,
): Promise<readonly CanaryResult[] | undefined> {
  const text = await cache.get(key);
  if (text === undefined) return undefined;
  const parsed = v.safeParse(canariesSchema, parseIfJson(text));
  return parsed.success && parsed.output.some(({ booted }) => booted) ? parsed.output : undefined;
}

function parseIfJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // spoilt, and as good as none
  }
}
