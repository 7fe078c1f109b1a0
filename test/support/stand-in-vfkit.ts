/** A folder with the stand-in under vfkit's name; see test/fixtures/stand-in-vfkit.mjs for what it proves. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface StandInOptions {
  /** what goes wrong: test/fixtures/stand-in-vfkit.mjs
   * @default nothing */
  readonly fault?: string;
  /** @default "v0.6.4" */
  readonly version?: string;
}

export type StandInEntry =
  { readonly start: readonly string[] } | { readonly request: string; readonly body: string };

export interface StandIn {
  /** what is looked up in, as PATH */
  readonly searchPath: string;
  /** what it was started with and asked, in order */
  readonly entries: () => readonly StandInEntry[];
}

export function plantVfkit(folder: string, options: StandInOptions = {}): StandIn {
  const { fault = "", version = "v0.6.4" } = options;
  const log = join(folder, "entries");
  const fixture = join(import.meta.dirname, "../fixtures/stand-in-vfkit.mjs");
  const script = `export STAND_IN='${fault}' STAND_IN_VERSION='${version}' STAND_IN_LOG='${log}'
exec '${process.execPath}' '${fixture}' "$@"`;
  return plantProgram(folder, script, log);
}

/** A vfkit that does what a script says. */
export function plantScript(folder: string, script: string): StandIn {
  return plantProgram(folder, script, join(folder, "entries"));
}

function plantProgram(folder: string, script: string, log: string): StandIn {
  mkdirSync(folder, { recursive: true });
  writeFileSync(log, "");
  const path = join(folder, "vfkit");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  const entries = (): readonly StandInEntry[] => {
    const lines = readFileSync(log, "utf8").split("\n").filter(Boolean);
    return lines.map((line) => JSON.parse(line) as StandInEntry);
  };
  return { searchPath: folder, entries };
}
