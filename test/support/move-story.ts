/**
 * Two hosts, one machine that moves between them, and a command that is run at an exact point of its move:
 * what is told afterwards of where it runs, and what a person can do about it.
 */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { collect, createCliHome } from "./cli.ts";
import type { CliHome, CliResult } from "./cli.ts";
import { MovingMachine } from "./moving-machine.ts";
import { createWatchedProgram } from "./watched-program.ts";

export interface StoryOptions {
  /** what programs are started with, here and there @default nothing */
  readonly prefixes?: readonly [readonly string[], readonly string[]];
  /** where there is @default 127.0.0.1 */
  readonly address?: string;
}

interface Listening {
  readonly address: string;
  readonly fingerprint: string;
  readonly code: string;
}

/** Where in a move: a journal's phase on one side, or bytes that were sent from here. */
export type Point =
  | { readonly side: "here" | "there"; readonly phase: string }
  | { readonly side: "here"; readonly bytes: number };

export class MoveStory implements AsyncDisposable {
  readonly here: MovingMachine;
  readonly there: MovingMachine;
  readonly #address: string;
  readonly #dispose: () => Promise<void>;
  #ear: ChildProcessWithoutNullStreams | undefined;
  #earEnded: Promise<CliResult> | undefined;
  #listening: Listening | undefined;

  private constructor(homes: [CliHome, CliHome], address: string, dispose: () => Promise<void>) {
    this.here = new MovingMachine(homes[0]);
    this.there = new MovingMachine(homes[1]);
    this.#address = address;
    this.#dispose = dispose;
  }

  static async open({
    prefixes = [[], []],
    address = "127.0.0.1",
  }: StoryOptions = {}): Promise<MoveStory> {
    const program = await createWatchedProgram();
    const here = await createCliHome({ program: program.path, prefix: prefixes[0] });
    const there = await createCliHome({ program: program.path, prefix: prefixes[1] });
    return new MoveStory([here, there], address, async () => {
      for (const each of [here, there, program]) await each[Symbol.asyncDispose]();
    });
  }

  get earPid(): number {
    return this.#ear?.pid ?? 0;
  }

  /** Listens there, on the port that it had. */
  async listen(): Promise<void> {
    const at = this.#listening?.address ?? `${this.#address}:0`;
    const ear = this.there.home.start(["vm", "receive", "--listen", at, "--json"]);
    this.#ear = ear;
    const line = await new Promise<string>((resolve, reject) => {
      ear.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString("utf8")));
      ear.once("close", () => reject(new Error("it does not listen")));
    });
    this.#earEnded = collect(ear);
    this.#listening = JSON.parse(line.split("\n")[0] ?? "") as Listening;
  }

  async deafen(): Promise<void> {
    this.#ear?.kill("SIGTERM");
    await this.#earEnded;
  }

  migrate(): Promise<CliResult> {
    const { address, fingerprint, code } = this.#listening ?? {
      address: "",
      fingerprint: "",
      code: "",
    };
    const where = ["--to", address, "--pin", fingerprint, "--code", code];
    return this.here.vm("migrate", "work", ...where, "--json");
  }

  /**
   * @param command for a shell; `$SUPERVISOR` is the one that is at this point, `$EAR` who listens there, and
   * `$HERE` and `$THERE` the machine's folders
   */
  at({ side, ...point }: Point, command: string): void {
    const told = command
      .replaceAll("$SUPERVISOR", "$PPID")
      .replaceAll("$EAR", String(this.earPid))
      .replaceAll("$HERE", join(this.here.home.stateDir, "machines/work"))
      .replaceAll("$THERE", join(this.there.home.stateDir, "machines/work"));
    const { stateDir } = side === "here" ? this.here.home : this.there.home;
    writeFileSync(join(stateDir, "at-phase.json"), JSON.stringify({ ...point, command: told }));
  }

  /** On how many sides it answers. */
  async running(): Promise<string> {
    const sides = [await this.here.runs(), await this.there.runs()];
    return sides.flatMap((runs, at) => (runs ? [["here", "there"][at]] : [])).join(" and ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.deafen();
    await this.here.removeAll();
    await this.there.removeAll();
    await this.#dispose();
  }
}
