/** A folder with a program that has QEMU's name and does what its script says. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** @param script what it does, in shell */
export function plantQemu(folder: string, script: string, name = "qemu-system-x86_64"): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** What QEMU says to --version. */
export function sayVersion(version: string): string {
  return `[ "$1" = --version ] && echo "QEMU emulator version ${version} (Debian 1:8)" && exit 0`;
}

export interface FakeQemuOptions {
  /** @default "10.0.0" */
  readonly version?: string;
  /** what goes wrong: test/fixtures/fake-qemu.mjs
   * @default nothing */
  readonly fault?: string;
}

/** A QEMU that runs no machine and otherwise does as one would; each start is noted in `starts`. */
export function plantFakeQemu(
  folder: string,
  { version = "10.0.0", fault = "" }: FakeQemuOptions = {},
): { readonly starts: () => readonly string[] } {
  const fixture = join(import.meta.dirname, "../fixtures/fake-qemu.mjs");
  const log = join(folder, "starts");
  writeFileSync(log, "");
  plantQemu(
    folder,
    `export FAKE_QEMU='${fault}' FAKE_VERSION='${version}'
[ "$1" = --version ] || echo "$*" >>'${log}'
exec '${process.execPath}' --max-old-space-size=64 '${fixture}' "$@"`,
  );
  return { starts: () => readFileSync(log, "utf8").split("\n").slice(0, -1) };
}
