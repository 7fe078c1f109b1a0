/** What a machine is to be, as a caller says it. */
import type { BuildProgress } from "../image/build-image.ts";
import type { ArrivingMachine, SavedMachine, SpawnPhase } from "../vm/hypervisor.ts";
import type { NetworkCardPermit } from "./network-card.ts";

export interface SpawnOptions {
  /** @default the configured image, "base" */
  readonly image?: string | undefined;
  /** @default the configured memory, 512 MiB */
  readonly memoryMib?: number | undefined;
  /** @default the configured number, 1 */
  readonly vcpus?: number | undefined;
  /** `auto`, a backend, or a backend and its accelerator, such as "qemu/tcg"
   * @default the configured one, "auto" */
  readonly hypervisor?: string | undefined;
  /** programs for x86-64 run on a Mac with Apple silicon, by Apple's Rosetta; SPEC_REFUSED elsewhere
   * @default false */
  readonly rosetta?: boolean | undefined;
  /** variables of every command in the machine */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** longest boot in `ms`
   * @default 60_000 */
  readonly bootTimeoutMs?: number | undefined;
  /** called as the spawn goes on, for a person who waits */
  readonly onPhase?: ((phase: SpawnPhase | BuildProgress) => void) | undefined;
  /** called when a person stopped the machine, while it boots or later, and when it goes on */
  readonly onFrozen?: ((isFrozen: boolean, machine: string) => void) | undefined;
  /**
   * An empty private folder for the machine's memory, so that it can be saved. The caller's to remove.
   * @default none: the machine cannot be saved
   */
  readonly memoryFolder?: string | undefined;
  /** the machine goes on where this one was saved; image, memory and processors have to be its own
   * @default a new machine */
  readonly saved?: SavedMachine | undefined;
  /** the machine comes from another host, and goes on here once it may
   * @default a new machine */
  readonly arriving?: ArrivingMachine | undefined;
  /** a network card, which a person approved for this one machine
   * @default none */
  readonly networkCard?: NetworkCardPermit | undefined;
  readonly signal?: AbortSignal | undefined;
}
