/** The program `luminaguard`. Runs one command and ends the process with its exit code. */
import { loadIoSettings } from "../config/io-settings.ts";
import { readVersion } from "../config/version.ts";
import { exitCodes } from "./exit-codes.ts";

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
    process.stdout.write(`${readVersion()}\n`);
    return exitCodes.done;
  }
  const { createIo } = await import("./io.ts");
  const { runProgram } = await import("./program.ts");
  return runProgram(argv, createIo(loadIoSettings()), readVersion());
}

const exitCode = await main(process.argv.slice(2));
// what was written must be out before the process ends: a pipe takes it later
await Promise.all(
  [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((resolve) => stream.write("", () => resolve())),
  ),
);
process.exit(exitCode);
