/**
 * Chooses how machines run on this host: of all candidates of the platform, best first, the first one
 * whose canary boots. The verdict is kept with its reasons for as long as what it depends on stays the
 * same.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { release } from "node:os";
import * as v from "valibot";
import { LuminaGuardError, isLuminaGuardError, messageOf } from "../../errors.ts";
import { listCandidates } from "./all-candidates.ts";
import { anyHypervisor, pickCandidates } from "./candidate-names.ts";
import { nameOf } from "./candidate.ts";
import type { Candidate, CandidateHost, FoundCandidate } from "./candidate.ts";
import { canarySchema, runCanary } from "./canary.ts";
import type { CanaryOptions, CanaryResult } from "./canary.ts";
import type { ConfinementTools } from "../walls/confinement.ts";
import type { Hypervisor } from "../hypervisor.ts";
import type { VerdictCache } from "./verdict-cache.ts";

export interface SelectOptions extends CandidateHost, CanaryOptions {
  /** SHA-256 of the kernel: with another kernel the canary may end otherwise */
  readonly kernelSha256: string;
  /** `auto`, a backend, or a backend and its accelerator, such as "qemu/tcg"
   * @default "auto" */
  readonly wanted?: string | undefined;
  /** ask the host again, whatever is cached
   * @default false */
  readonly fresh?: boolean;
}

export interface Selection {
  readonly hypervisor: Hypervisor;
  /** of the hypervisor's program */
  readonly version: string;
  /** every candidate of this platform, best first, tried or not */
  readonly canaries: readonly CanaryResult[];
}

/**
 * Raises HYPERVISOR_UNAVAILABLE when nothing boots, with what became of each candidate in its details;
 * TOOL_MISSING where nothing is installed that could be tried; CONFIG_INVALID for an unknown name.
 */
export async function selectHypervisor(options: SelectOptions): Promise<Selection> {
  requireWalls(options.tools);
  const wanted = options.wanted ?? anyHypervisor;
  const candidates = listCandidates(options);
  const meant = pickCandidates(wanted, candidates);
  const looks = await Promise.all(
    candidates.map(async (candidate): Promise<Look> => {
      return meant.includes(candidate) ? await look(candidate, options.signal) : { candidate };
    }),
  );
  const key = `canary 3 ${await fingerprintHost(options, looks)}`;
  const cached = options.fresh === true ? undefined : await readCached(options.cache, key);
  const canaries = cached ?? (await runCanaries(looks, options));
  if (cached === undefined) await options.cache.set(key, JSON.stringify(canaries));
  const at = canaries.findIndex(({ booted }) => booted);
  const found = looks[at]?.found;
  if (found === undefined) throw refuse(looks, canaries);
  return {
    hypervisor: found.make({ templates: true, tscKhz: canaries[at]?.tscKhz }),
    version: found.version,
    canaries,
  };
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

/** A candidate and whether what it needs is here; neither where nobody asked for it. */
interface Look {
  readonly candidate: Candidate;
  readonly found?: FoundCandidate;
  readonly error?: LuminaGuardError;
}

async function look(candidate: Candidate, signal: AbortSignal | undefined): Promise<Look> {
  try {
    return { candidate, found: await candidate.find(signal) };
  } catch (error) {
    signal?.throwIfAborted();
    if (isLuminaGuardError(error)) return { candidate, error };
    const reason = `could not be looked for: ${messageOf(error)}`;
    return {
      candidate,
      error: new LuminaGuardError("HYPERVISOR_UNAVAILABLE", reason, { cause: error }),
    };
  }
}

async function runCanaries(
  looks: readonly Look[],
  options: SelectOptions,
): Promise<readonly CanaryResult[]> {
  const results: CanaryResult[] = [];
  for (const { candidate, found, error } of looks) {
    const chosen = results.find(({ booted }) => booted);
    const fix = error && (error.hint ?? "see docs/platforms.md");
    if (error !== undefined) results.push(untried(candidate, messageOf(error), fix));
    else if (found === undefined) results.push(untried(candidate, "another one is asked for"));
    else if (chosen !== undefined) results.push(untried(candidate, `${nameOf(chosen)} is better`));
    else results.push(await runCanary(candidate, found, options));
  }
  return results;
}

function untried({ backend, accelerator }: Candidate, reason: string, fix?: string): CanaryResult {
  return { backend, accelerator, tried: false, booted: false, reason, fix, durationMs: 0 };
}

/** Where nothing could be tried, what the least demanding candidate lacks says what to do. */
function refuse(looks: readonly Look[], canaries: readonly CanaryResult[]): LuminaGuardError {
  const last = looks.findLast(({ error }) => error !== undefined)?.error;
  const details = { canaries };
  if (last !== undefined && canaries.every(({ tried }) => !tried)) {
    const { code, message, hint } = last;
    return new LuminaGuardError(code, message, {
      details,
      cause: last,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  return new LuminaGuardError("HYPERVISOR_UNAVAILABLE", "no machine boots on this host", {
    hint: "luminaguard doctor says what was tried",
    details,
  });
}

/** What a verdict depends on: another kernel, hypervisor, guest or processor is another host. */
async function fingerprintHost(options: SelectOptions, looks: readonly Look[]): Promise<string> {
  const cpuinfo = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const flags = /^flags\s*:.*$/m.exec(cpuinfo)?.[0] ?? "";
  const candidates = looks.map(({ candidate, found, error }) => {
    return [nameOf(candidate), found?.fingerprint ?? null, error?.message ?? null];
  });
  const { asRoot, namespaces } = options.tools;
  const walls = { asRoot, namespaces };
  const facts = [release(), options.kernelSha256, flags, candidates, walls];
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
}

const canariesSchema = v.array(canarySchema);

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
