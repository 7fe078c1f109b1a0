/** The floor of this host: bare machines booted, frozen and cloned, each kind made once. */
import { rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RamFile } from "../../vm/backends/qemu/qemu-args.ts";
import { resolveVmSpec } from "../../vm/spec.ts";
import type { VmImage } from "../../vm/spec.ts";
import { BareMachine } from "./bare-machine.ts";
import type { BareStart } from "./bare-machine.ts";

export interface FloorOptions extends Omit<BareStart, "spec" | "ram" | "state"> {
  readonly image: VmImage;
  /** where frozen memory goes: the file system that templates are on */
  readonly folder: string;
}

interface FrozenFloor {
  readonly ram: RamFile;
  readonly state: Buffer;
}

export class Floor {
  readonly #options: FloorOptions;
  readonly #frozen = new Map<number, Promise<FrozenFloor>>();

  constructor(options: FloorOptions) {
    this.#options = options;
  }

  /** Plain QEMU and the same kernel with the least program: started, not yet answering. */
  boot(memoryMib: number): Promise<BareMachine> {
    return this.#start(memoryMib);
  }

  /** The same program restored in a new QEMU process from where it had run one `echo`. */
  async clone(memoryMib: number, signal: AbortSignal): Promise<BareMachine> {
    const frozen = this.#frozen.get(memoryMib) ?? this.#freeze(memoryMib, signal);
    this.#frozen.set(memoryMib, frozen);
    const { ram, state } = await frozen;
    return this.#start(memoryMib, ram, state);
  }

  async #freeze(memoryMib: number, signal: AbortSignal): Promise<FrozenFloor> {
    const path = join(this.#options.folder, `floor-${memoryMib}.ram`);
    await rm(path, { force: true });
    await writeFile(path, "", { mode: 0o600 });
    await truncate(path, memoryMib * 1024 ** 2);
    await using machine = await this.#start(memoryMib, { path, use: "source" });
    await machine.echo(signal);
    const state = await machine.freeze(signal);
    return { ram: { path, use: "clone" }, state };
  }

  #start(memoryMib: number, ram?: RamFile, state?: Buffer): Promise<BareMachine> {
    const { image, ...options } = this.#options;
    return BareMachine.start({ ...options, spec: resolveVmSpec({ image, memoryMib }), ram, state });
  }
}
