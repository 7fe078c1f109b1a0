/** A folder with a program that has QEMU's name and does what its script says. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
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
