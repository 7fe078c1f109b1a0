/**
 * The two interfaces every backend implements, and nothing else. A hypervisor is one way to run
 * machines on this host; an instance is one machine. What only some can do is a small facet of its
 * own, present or absent; no method exists only to refuse.
 */
import type { Duplex, Readable } from "node:stream";
import type { Clock } from "../base/clock.ts";
import type { VmSpec } from "./spec.ts";

export interface HypervisorFeatures {
  /** machines after the first of an image are copy-on-write clones of a frozen one */
  readonly templates: boolean;
  /** a machine's code runs on the host's processor and not in an emulator */
  readonly hardwareVirtualization: boolean;
}

export type Probe =
  | { readonly kind: "ready"; readonly version: string }
  | { readonly kind: "unavailable"; readonly reason: string; readonly fix: string };

/** Where the wire is: the path of a socket, or what gives its one connection where there is no such path. */
export type WirePlace = string | (() => Duplex);

/** What the holder of a machine says and hears on its wire while it boots; handed in by the runtime. */
export interface Greeter {
  /** resolves when the guest agent answers on this socket; leaves no connection behind */
  readonly prepare: (socketPath: string, signal: AbortSignal) => Promise<void>;
  /**
   * resolves when the guest agent takes connections on this socket, which may refuse them until then or
   * not be there yet; leaves none behind. For a wire that does not wait for its guest.
   */
  readonly reach: (socketPath: string, signal: AbortSignal) => Promise<void>;
  /** gives the machine its own time, entropy and name, and resolves when the guest said it is done */
  readonly greet: (wire: WirePlace, vmId: string, signal: AbortSignal) => Promise<void>;
  /**
   * From this call on whoever speaks to a greeted machine does so on a connection that is made now; what is
   * under way stays on the one before. Gives what waits until the guest agent answers on it.
   */
  readonly reopen: (wire: WirePlace) => (signal: AbortSignal) => Promise<void>;
  /** seconds that pass in the greeted machine in one second of the host */
  readonly measureClock: (signal?: AbortSignal) => Promise<number>;
}

export type SpawnKind = "cold" | "clone" | "restored";
export type SpawnPhase = "booting" | "freezing template" | "cloning" | "restoring";

export interface SpawnConfig {
  readonly spec: VmSpec;
  readonly greeter: Greeter;
  /** called as the spawn goes on, for a person who waits */
  readonly onPhase?: ((phase: SpawnPhase) => void) | undefined;
  /** called when a person stopped the machine, while it boots or later, and when it goes on */
  readonly onFrozen?: OnFrozen | undefined;
  /** what the waits of a boot are counted on: to stand still while the machine is frozen
   * @default the host's */
  readonly clock?: Clock | undefined;
  /**
   * An empty folder for the machine's memory, which becomes a file of its own there, so that the
   * machine can be saved. Private to this user; the caller removes it after the machine's end.
   * @default none: the memory goes with the machine, which then cannot be saved
   */
  readonly memoryFolder?: string | undefined;
}

/** What a saved machine and whoever loads it must have alike: any difference is refused. */
export interface SaveKey {
  /** name and accelerator, such as "qemu/tcg" */
  readonly backend: string;
  /** of the hypervisor program */
  readonly version: string;
  /** the processor as the machine sees it */
  readonly cpu: string;
  /** sha256 of the manifest of the image it was booted from */
  readonly imageDigest: string;
  /** sha256 of everything else the hypervisor was told */
  readonly arguments: string;
}

/** A machine as it was at one moment, in files that only its backend understands. */
export interface SavedMachine {
  readonly folder: string;
  readonly key: SaveKey;
}

export interface Save {
  readonly key: SaveKey;
  /** how long the machine stood still, in `ms` */
  readonly stopMs: number;
}

/** A machine on its way here from another host. */
interface Arriving {
  readonly key: SaveKey;
  /**
   * Called when all of it is here and it stands still. It goes on when this resolves, and is taken away
   * when this rejects.
   * @param gone rejects when it ended meanwhile
   */
  readonly settle: (gone: Promise<never>) => Promise<void>;
  /** called when it runs */
  readonly onRunning: () => void;
}

/** One that is sent while it runs, as its backend needs to know of it. */
export interface ArrivingStream extends Arriving {
  readonly form: "stream";
  /** Called once this host could take it: resolves with its memory and devices as they come. */
  readonly open: () => Promise<Readable>;
}

/** One that was saved, stands still where it was, and is restored here. */
export interface ArrivingFiles extends Arriving {
  readonly form: "files";
  /** Called once this host could take it: resolves with the folder when every file was found to be what was saved. */
  readonly unpack: () => Promise<string>;
}

export type ArrivingMachine = ArrivingStream | ArrivingFiles;

/** A machine on its way from here. It runs until nearly all of it is there. */
export interface Departure {
  /** its memory and devices; whoever reads them sets the pace */
  readonly bytes: Readable;
  /** when it stopped for good, on the clock of `performance.now()`; rejects, with it going on, when it failed */
  readonly stopped: Promise<number>;
  /** Lets it go on here, whether it had stopped or not. */
  readonly goOn: () => Promise<void>;
}

/** A machine that was saved and stands still since. */
export interface Suspension {
  readonly key: SaveKey;
  /** on the clock of `performance.now()` */
  readonly stoppedAt: number;
  /** Lets it go on here. */
  readonly goOn: () => Promise<void>;
}

export type OnFrozen = (isFrozen: boolean, vmId: string) => void;

export interface Hypervisor {
  readonly name: string;
  /** what runs the machine's code: tcg, kvm, hvf, whpx, none */
  readonly accelerator: string;
  readonly features: HypervisorFeatures;
  /** Whether it can be used here, or why not. Never throws, leaves nothing behind. */
  readonly probe: (signal?: AbortSignal) => Promise<Probe>;
  /** What in this spec it cannot honour; refused before anything starts. */
  readonly check: (spec: VmSpec) => readonly string[];
  /**
   * A machine that was greeted. Raises VM_BOOT_FAILED, TIMEOUT, SPEC_REFUSED or HOST_LIMIT with
   * nothing left behind.
   */
  readonly spawn: (config: SpawnConfig, signal?: AbortSignal) => Promise<VmInstance>;
  /**
   * Facet: a new machine that goes on where the saved one was, greeted: it has its own time, entropy and
   * name. What is saved stays as it is and can be restored any number of times. Raises
   * SNAPSHOT_MISMATCH, and what `spawn` raises.
   */
  readonly restore?: (
    saved: SavedMachine,
    config: SpawnConfig,
    signal?: AbortSignal,
  ) => Promise<VmInstance>;
  /** Facet beside `restore`: what a saved machine has to have alike to be restored here as this spec. */
  readonly saveKey?: (spec: VmSpec) => Promise<SaveKey>;
  /** Facet: a machine that is sent from another host while it runs. Raises SNAPSHOT_MISMATCH, and what `spawn` raises. */
  readonly arrive?: (
    arriving: ArrivingStream,
    config: SpawnConfig,
    signal?: AbortSignal,
  ) => Promise<VmInstance>;
}

export interface VmExit {
  /** the machine was asked to end */
  readonly requested: boolean;
  /** why it ended, for a person */
  readonly reason: string;
}

export interface VmInstance {
  readonly id: string;
  /** the hypervisor process on the host; 0 where there is none */
  readonly pid: number;
  /** Unix socket or named pipe of the wire; empty where it is a connection that this process holds */
  readonly socketPath: string;
  /** from the call of `spawn` until the guest, after `resume` was applied, answered; in `ms` */
  readonly spawnTimeMs: number;
  readonly kind: SpawnKind;
  /** settles once, when the machine is gone and its files are removed; never rejects */
  readonly exited: Promise<VmExit>;
  /** Facet: what the machine last wrote on its console. Hostile text. */
  readonly consoleTail?: (() => string) | undefined;
  /** Asks the machine to end and resolves when it is gone. May take as long as the machine likes. */
  readonly stop: () => Promise<void>;
  /** Takes the machine away and resolves when it is gone. */
  readonly kill: () => Promise<void>;
  /**
   * Facet of a machine with a memory folder: stops it, writes its memory and devices into an empty private
   * folder, and lets it go on, whatever fails. One at a time. Raises HOST_LIMIT when there is no room, and
   * VM_GONE when it could not go on. Where the wire does not outlive it, the greeter's is another then.
   */
  readonly save?: ((folder: string, signal?: AbortSignal) => Promise<Save>) | undefined;
  /**
   * Facet beside `save`: as that, and it stands still until it is told to go on. Where this fails it goes on.
   */
  readonly suspend?: ((folder: string, signal?: AbortSignal) => Promise<Suspension>) | undefined;
  /** Facet of a machine with a memory folder: what a machine that arrives elsewhere has to have alike. */
  readonly saveKey?: (() => Promise<SaveKey>) | undefined;
  /** Facet of a machine with a memory folder: sends it to another host while it runs. */
  readonly depart?: ((signal?: AbortSignal) => Promise<Departure>) | undefined;
}
