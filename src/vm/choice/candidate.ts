/**
 * What a backend offers the chooser: for each accelerator of this platform one candidate, which can be
 * looked for without starting anything, and made into a hypervisor where it was found.
 */
import type { ConfinementTools } from "../walls/confinement.ts";
import type { Hypervisor } from "../hypervisor.ts";
import type { Capabilities, Proof } from "./lane.ts";
import type { VerdictCache } from "./verdict-cache.ts";

/** The host as a backend sees it when it says what it could do here. */
export interface CandidateHost {
  readonly platform: NodeJS.Platform;
  readonly architecture: "x64" | "arm64";
  readonly cacheDir: string;
  readonly runtimeDir: string;
  /** programs are looked up here */
  readonly searchPath: string;
  readonly tools: ConfinementTools;
  readonly cache: VerdictCache;
}

export interface MakeOptions {
  /** machines after the first of an image may be clones */
  readonly templates: boolean;
  /** ticks of the host's time-stamp counter in `kHz`, where machines count by it */
  readonly tscKhz: number | undefined;
}

export interface FoundCandidate {
  /** of the hypervisor's program */
  readonly version: string;
  /** what a verdict on it depends on: another build of the same version is another candidate */
  readonly fingerprint: string;
  /** what a person should know of its machines here */
  readonly note?: string | undefined;
  readonly make: (options: MakeOptions) => Hypervisor;
}

export interface Candidate {
  readonly backend: string;
  /** what runs the machine's code: tcg, kvm, hvf, whpx */
  readonly accelerator: string;
  readonly can: Capabilities;
  readonly proof: Proof;
  /** longest a canary may take, in `ms`: past it the accelerator counts as one that hangs */
  readonly canaryTimeoutMs: number;
  /** its machines are told the rate of the host's time-stamp counter, and keep time by it */
  readonly countsTicks: boolean;
  /**
   * Looks for what it needs and starts no machine. Raises TOOL_MISSING or HYPERVISOR_UNAVAILABLE with
   * the reason and, as the hint, the fix.
   */
  readonly find: (signal?: AbortSignal) => Promise<FoundCandidate>;
}

/** As a person names it: "qemu/kvm". */
export function nameOf({
  backend,
  accelerator,
}: Pick<Candidate, "backend" | "accelerator">): string {
  return `${backend}/${accelerator}`;
}
