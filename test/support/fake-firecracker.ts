/** A folder with a program that has Firecracker's name and its manners. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface FakeFirecrackerOptions {
  /** @default "1.16.1" */
  readonly version?: string;
  /** what goes wrong: test/fixtures/fake-firecracker.mjs
   * @default nothing */
  readonly fault?: string;
  /** what runs in it: a guest agent that says yes, or an emulated machine
   * @default "agent" */
  readonly guest?: "agent" | "machine";
}

/** Each start is noted in `starts`. */
export function plantFakeFirecracker(
  folder: string,
  { version = "1.16.1", fault = "", guest = "agent" }: FakeFirecrackerOptions = {},
): { readonly starts: () => readonly string[] } {
  const fixture = join(import.meta.dirname, "../fixtures/fake-firecracker.mjs");
  const log = join(folder, "starts");
  mkdirSync(folder, { recursive: true });
  writeFileSync(log, "");
  const path = join(folder, "firecracker");
  writeFileSync(
    path,
    `#!/bin/sh
export FAKE_FIRECRACKER='${fault}' FAKE_VERSION='${version}' FAKE_GUEST='${guest}'
[ "$1" = --version ] || echo "$*" >>'${log}'
exec '${process.execPath}' --max-old-space-size=64 '${fixture}' "$@"
`,
  );
  chmodSync(path, 0o755);
  return { starts: () => readFileSync(log, "utf8").split("\n").slice(0, -1) };
}
