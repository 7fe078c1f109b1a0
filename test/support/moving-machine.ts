/** One host's side of a machine named "work" that moves: its program, its folders, and what it says of the machine. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CliHome, CliResult } from "./cli.ts";

export interface MoveJournal {
  readonly id: string;
  readonly phase: string;
  readonly proofHash?: string | null;
}

export interface ListedMachine {
  readonly name: string;
  readonly state: string;
  readonly supervisorPid: number | null;
  readonly doubt: { readonly why: string; readonly hint: string } | null;
}

export class MovingMachine {
  readonly home: CliHome;

  constructor(home: CliHome) {
    this.home = home;
  }

  vm(...args: readonly string[]): Promise<CliResult> {
    return this.home.run(["vm", ...args]);
  }

  async must(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.vm(...args);
    if (exitCode !== 0) throw new Error(`vm ${args.join(" ")}: ${stderr}${stdout.toString()}`);
    return stdout.toString();
  }

  /** With a file and a program in the background, by which it is known again. */
  async start(): Promise<void> {
    await this.must("start", "--name", "work", "--memory", "128");
    await this.say(
      "echo kept > /tmp/file; setsid sh -c 'echo $$ > /tmp/pid; exec sleep 1000' > /dev/null 2>&1 & " +
        "until [ -s /tmp/pid ]; do sleep 0.1; done",
    );
  }

  say(script: string): Promise<string> {
    return this.must("exec", "work", "--workdir", "/", "--", "sh", "-c", script);
  }

  /** Whether the very machine answers here. */
  runs(): Promise<boolean> {
    return this.say("cat /tmp/file").then(
      (text) => text === "kept\n",
      () => false,
    );
  }

  decide(...words: readonly string[]): Promise<CliResult> {
    return this.vm("migrate", "work", "--resolve", ...words, "--json");
  }

  async list(): Promise<readonly ListedMachine[]> {
    return JSON.parse(await this.must("ls", "--json")) as readonly ListedMachine[];
  }

  async removeAll(): Promise<void> {
    const names = (await this.list()).map(({ name }) => name);
    if (names.length > 0) await this.vm("rm", ...names);
  }

  journal(): MoveJournal | undefined {
    try {
      const text = readFileSync(join(this.home.stateDir, "machines/work/move.json"), "utf8");
      return JSON.parse(text) as MoveJournal;
    } catch {
      return undefined;
    }
  }

  codeOf({ stdout, stderr }: CliResult): string {
    try {
      return (JSON.parse(stdout.toString()) as { error: { code: string } }).error.code;
    } catch {
      throw new Error(`${stdout.toString()}${stderr}`);
    }
  }
}
