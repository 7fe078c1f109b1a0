/** The program `luminaguard`. Runs one command and ends the process with its exit code. */
import { loadIoSettings } from "../config/io-settings.ts";
import { readVersion } from "../config/version.ts";
import { exitCodes } from "./exit-codes.ts";

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
    await new Promise((resolve) => process.stdout.write(`${readVersion()}\n`, resolve));
    return exitCodes.done;
  }
  const { createIo, flush } = await import("./io.ts");
  const { runProgram } = await import("./program.ts");
  const io = createIo(loadIoSettings());
  const exitCode = await runProgram(argv, io, readVersion());
  await flush(io);
  return exitCode;
}

process.exit(await main(process.argv.slice(2)));
