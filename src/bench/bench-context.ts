/**
 * What all measurements share: this host's hypervisor, the image, machines with and without our part,
 * and a folder that goes when the benchmark ends. The floor is built on first use, and may be missing.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isLuminaGuardError } from "../errors.ts";
import type { Image } from "../image/image-store.ts";
import { runProgram } from "../process/run-program.ts";
import { PausableClock } from "../base/clock.ts";
import { packageRoot } from "../base/package-root.ts";
import { createGreeter } from "../runtime/greeter.ts";
import { toVmImage } from "../runtime/ground.ts";
import { Machine } from "../runtime/machine.ts";
import type { Card, FileDiff } from "../runtime/values.ts";
import type { LuminaGuard, SpawnOptions } from "../runtime/luminaguard.ts";
import { findQemu } from "../vm/backends/qemu/qemu-binary.ts";
import type { Accelerator, Architecture } from "../vm/backends/qemu/qemu-args.ts";
import { QemuHypervisor } from "../vm/backends/qemu/qemu.ts";
import { ManagedVm } from "../vm/managed-vm.ts";
import type { Selection } from "../vm/choice/select.ts";
import { resolveVmSpec } from "../vm/spec.ts";
import { TemplateStore } from "../vm/templates/template-store.ts";
import type { TemplateDraft } from "../vm/templates/template-store.ts";
import { Floor } from "./floor/floor.ts";
import { buildFloorImage } from "./floor/floor-image.ts";
import { renderFailure } from "./not-measured.ts";
import { untilQuiet } from "./quiet-host.ts";

export interface BenchContextOptions {
  readonly lumina: LuminaGuard;
  /** variables that a program of ours needs to find its folders */
  readonly env: Readonly<Record<string, string>>;
  /** the terminal face, which is above this room */
  readonly showDiff: ShowDiff;
  readonly signal: AbortSignal;
  readonly onPhase?: SpawnOptions["onPhase"];
}

/** Draws a card and then, as on a key, its differences; resolves with the first screen of them. */
export type ShowDiff = (card: Card, diffOf: () => Promise<FileDiff>) => Promise<string>;

export interface FloorOrNote {
  readonly floor: Floor | undefined;
  readonly notes: readonly string[];
}

const baseImage = "base";
const architecture: Architecture = process.arch === "arm64" ? "arm64" : "x64";

export class BenchContext implements AsyncDisposable {
  readonly lumina: LuminaGuard;
  readonly image: Image;
  readonly selection: Selection;
  readonly showDiff: ShowDiff;
  readonly #templates: TemplateStore;
  readonly #draft: TemplateDraft;
  readonly #env: Readonly<Record<string, string>>;
  readonly #kept = new Map<string, Promise<unknown>>();

  private constructor(
    { lumina, env, showDiff }: BenchContextOptions,
    image: Image,
    selection: Selection,
    templates: TemplateStore,
    draft: TemplateDraft,
  ) {
    this.lumina = lumina;
    this.image = image;
    this.selection = selection;
    this.showDiff = showDiff;
    this.#templates = templates;
    this.#draft = draft;
    this.#env = env;
  }

  /** Finds the hypervisor, and builds the base image when it is missing. */
  static async open(options: BenchContextOptions): Promise<BenchContext> {
    const { lumina, signal, onPhase } = options;
    const image = await lumina.host.openImage(baseImage, { signal, onPhase });
    const selection = await lumina.host.select(image, { signal });
    // where templates are, so that the floor's memory is on the same disk and goes as theirs does
    const templates = new TemplateStore(join(lumina.config.cacheDir, "templates"));
    const draft = await templates.draft("bench");
    return new BenchContext(options, image, selection, templates, draft);
  }

  /** what a program of this host needs to find things */
  get env(): Readonly<Record<string, string>> {
    return this.#env;
  }

  /** memory of a machine where a measurement says nothing else, in `MiB` */
  get memoryMib(): number {
    return this.lumina.config.memoryMib;
  }

  /** where templates are, for what goes when the benchmark ends */
  get folder(): string {
    return this.#draft.folder;
  }

  /** A machine as everyone gets it. */
  spawn(signal: AbortSignal, memoryMib: number = this.memoryMib): Promise<Machine> {
    return this.lumina.spawn({ image: baseImage, memoryMib, vcpus: 1, signal });
  }

  /** A machine that boots behind the same walls instead of being cloned.
   * @param image `base` where none is given */
  async boot(signal: AbortSignal, image: Image = this.image): Promise<Machine> {
    const { runtimeDir, searchPath } = this.lumina.config;
    const hypervisor = new QemuHypervisor({
      accelerator: this.#accelerator,
      architecture,
      runtimeDir,
      searchPath,
      tools: await this.lumina.host.confinement(),
      tscKhz: this.#tscKhz,
    });
    const spec = resolveVmSpec({ image: toVmImage(image), memoryMib: this.memoryMib });
    const greeter = createGreeter();
    const vm = new ManagedVm(hypervisor, { spec, greeter });
    return new Machine(vm, await vm.boot(signal), greeter.wire, {
      env: {},
      desk: this.lumina.machines,
      clock: new PausableClock(),
      facts: {
        backend: hypervisor.name,
        accelerator: hypervisor.accelerator,
        nic: "none",
        canaries: [],
      },
    });
  }

  /** Bare machines, or a note on why there are none on this host. */
  floor(signal: AbortSignal): Promise<FloorOrNote> {
    return this.once("floor", () => this.#buildFloor(signal));
  }

  /** Runs this very program as a person does. */
  async runCli(args: readonly string[], signal: AbortSignal): Promise<void> {
    const program = fileURLToPath(new URL("bin/luminaguard", packageRoot));
    await runProgram(program, args, { env: this.#env, signal });
  }

  /** Resolves when nothing of the machines that were measured still runs. */
  quiet(signal: AbortSignal): Promise<void> {
    return untilQuiet(this.#templates, signal);
  }

  /** Does something expensive the first time and gives the same again. */
  once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const kept = (this.#kept.get(name) as Promise<T> | undefined) ?? make();
    this.#kept.set(name, kept);
    return kept;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#draft.discard();
  }

  get #accelerator(): Accelerator {
    return this.selection.hypervisor.accelerator as Accelerator;
  }

  get #tscKhz(): number | undefined {
    return this.selection.canaries.find(({ booted }) => booted)?.tscKhz;
  }

  async #buildFloor(signal: AbortSignal): Promise<FloorOrNote> {
    const { searchPath, runtimeDir } = this.lumina.config;
    const sourcePath = fileURLToPath(new URL("bench/floor-agent.c", packageRoot));
    const { folder } = this.#draft;
    try {
      const env = this.#env;
      const image = await buildFloorImage({
        image: toVmImage(this.image),
        sourcePath,
        folder,
        env,
        signal,
      });
      const { path: binary } = await findQemu(architecture, searchPath);
      const accelerator = this.#accelerator;
      const common = { binary, accelerator, architecture, runtimeDir, tscKhz: this.#tscKhz };
      return { floor: new Floor({ ...common, image, folder }), notes: [] };
    } catch (error) {
      signal.throwIfAborted();
      const noCompiler = isLuminaGuardError(error, "TOOL_MISSING");
      const why = noCompiler ? "no C compiler" : renderFailure(error);
      return { floor: undefined, notes: [`floor not measured: ${why}`] };
    }
  }
}
