/**
 * The command line: what can be said, and which command it means. Each command's code is loaded
 * only when it runs, so that `--help` and `--version` stay quick.
 */
import { Command, CommanderError } from "commander";
import { LuminaGuardError } from "../errors.ts";
import { exitCodes } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";
import { reportError } from "./report-error.ts";
import { describeCommands } from "./describe-commands.ts";

const firstExamples = `
Examples:
  # the tests of this folder, in a machine; nothing is written back unasked
  luminaguard run -- make test
  # can machines run here, and if not, what to do
  luminaguard doctor`;

/** Runs one command line; gives the exit code, and never throws. */
export async function runProgram(
  argv: readonly string[],
  io: CliIo,
  version: string,
): Promise<number> {
  let exitCode: number = exitCodes.done;
  const program = new Command("luminaguard");
  // flags after "--" are the command's, not ours
  const own = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : argv.length);
  const report = { json: own.includes("--json"), debug: own.includes("--debug") };
  program
    .description("A computer you can throw away, for each task of an agent.")
    .version(version, "-V, --version", "print the version")
    .option("--debug", "on an error, show where it came from")
    .helpCommand("help [command]", "show what a command can do")
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: () => undefined, // told below, in our own words
      getOutHelpWidth: () => Math.min(io.columns, 100),
    });
  program.addHelpText("after", firstExamples);
  describeCommands(program, io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.done;
      reportError(io, usageError(error, program), report);
      return exitCodes.failed;
    }
    reportError(io, error, report);
    return exitCodes.failed;
  }
}

/** Commander puts its suggestion in parentheses on a line of its own. */
function usageError(error: CommanderError, program: Command): LuminaGuardError {
  if (error.code === "commander.help") {
    return new LuminaGuardError("USAGE", "which command?", { hint: "luminaguard --help" });
  }
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const suggestion = /\(Did you mean (.*)\?\)/i.exec(rest.join(" "))?.[1];
  const hint =
    suggestion === undefined
      ? `${program.name()} --help shows what there is`
      : `did you mean ${suggestion}?`;
  return new LuminaGuardError("USAGE", first, { hint, cause: error });
}
