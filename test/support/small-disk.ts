/** A script of the program's commands, for which one folder lies on a disk too small for a machine's memory. */
import { spawnSync } from "node:child_process";
import { programPath } from "./cli.ts";
import type { CliHome } from "./cli.ts";

export interface SmallDisk {
  readonly folder: string;
  /** what is in use of the smallest machine's memory are about 50 */
  readonly sizeMib: number;
}

/** @param script in shell; `lg` is the program */
export function runWithSmallDisk(
  home: CliHome,
  { folder, sizeMib }: SmallDisk,
  script: readonly string[],
): { readonly stdout: string; readonly stderr: string } {
  const disk = ["--perms", "0700", "--size", String(sizeMib * 1024 ** 2), "--tmpfs", folder];
  const program = `lg() { '${process.execPath}' '${programPath}' "$@"; }`;
  const words = ["sh", "-c", `${program}; ${script.join(" && ")}`];
  return spawnSync("bwrap", ["--dev-bind", "/", "/", ...disk, ...words], {
    encoding: "utf8",
    env: {
      ...process.env,
      LUMINAGUARD_RUNTIME_DIR: home.runtimeDir,
      LUMINAGUARD_STATE_DIR: home.stateDir,
      LUMINAGUARD_CONFIG_DIR: home.configDir,
    },
  });
}
