/** A command on this host: what a run in a machine is compared with. */
import { spawnSync } from "node:child_process";

/** All it printed. Throws where it did not end with 0. */
export function runHere(argv: readonly string[], cwd: string): Promise<string> {
  const [file = "", ...args] = argv;
  const { status, stdout, stderr } = spawnSync(file, args, {
    cwd,
    encoding: "utf8",
    timeout: 300_000,
  });
  if (status !== 0) throw new Error(`${argv.join(" ")} ended with ${status}: ${stderr}`);
  return Promise.resolve(stdout + stderr);
}
