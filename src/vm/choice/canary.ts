/**
 * Boots one small machine with a candidate. A device that opens proves nothing: a KVM that cannot run a
 * kernel hangs instead of failing, so a canary has a deadline, and what came of it keeps its reason.
 */
import * as v from "valibot";
import { PausableClock } from "../../base/clock.ts";
import { isLuminaGuardError, messageOf } from "../../errors.ts";
import type { Candidate, FoundCandidate } from "./candidate.ts";
import type { Greeter } from "../hypervisor.ts";
import { resolveVmSpec } from "../spec.ts";
import type { VmImage } from "../spec.ts";
import { correctTscKhz, guessTscKhz } from "../time-stamp-counter.ts";

/** What became of one way to run machines. */
export interface CanaryResult {
  readonly backend: string;
  readonly accelerator: string;
  /** a machine was started to find out; otherwise `reason` says why none was */
  readonly tried: boolean;
  readonly booted: boolean;
  readonly reason: string;
  /** what a person should know of its machines here */
  readonly note?: string | undefined;
  /** what makes it usable, where it lacks something; absent where it is only not needed */
  readonly fix?: string | undefined;
  readonly durationMs: number;
  /** the host's time-stamp counter in `kHz`, where machines count by it */
  readonly tscKhz?: number | undefined;
}

export const canarySchema: v.GenericSchema<unknown, CanaryResult> = v.object({
  backend: v.string(),
  accelerator: v.string(),
  tried: v.boolean(),
  booted: v.boolean(),
  reason: v.string(),
  note: v.optional(v.string()),
  fix: v.optional(v.string()),
  durationMs: v.number(),
  tscKhz: v.optional(v.number()),
});

export interface CanaryOptions {
  readonly image: VmImage;
  readonly greeter: Greeter;
  readonly signal?: AbortSignal | undefined;
}

const canaryMemoryMib = 128;

/** Raises HOST_LIMIT, FROZEN or the signal's reason: these say nothing about the candidate. */
export async function runCanary(
  candidate: Candidate,
  found: FoundCandidate,
  options: CanaryOptions,
): Promise<CanaryResult> {
  const startedAt = performance.now();
  const { backend, accelerator, canaryTimeoutMs, countsTicks } = candidate;
  const guessKhz = countsTicks ? await guessTscKhz() : undefined;
  const result = (booted: boolean, reason: string): CanaryResult => {
    const durationMs = Math.round(performance.now() - startedAt);
    const { note } = found;
    return { backend, accelerator, tried: true, booted, reason, note, durationMs };
  };
  try {
    const spec = resolveVmSpec({
      image: options.image,
      memoryMib: canaryMemoryMib,
      bootTimeoutMs: canaryTimeoutMs,
    });
    const hypervisor = found.make({ templates: false, tscKhz: guessKhz });
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
    if (isLuminaGuardError(error, "HOST_LIMIT") || isLuminaGuardError(error, "FROZEN")) throw error;
    if (!isLuminaGuardError(error, "TIMEOUT")) return result(false, shorten(messageOf(error)));
    return result(false, `kernel did not boot in ${canaryTimeoutMs / 1000} s`);
  }
}

/** QEMU says which program and option speak before it says what is wrong. */
function shorten(message: string): string {
  return message.replace(/^.*: -accel \w+: (failed to initialize \w+: )?/, "");
}
