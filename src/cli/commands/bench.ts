/** `luminaguard bench`: the result goes to stdout, what is being measured to stderr. */
import { writeFile } from "node:fs/promises";
import { renderMarkdown } from "../../bench/render-markdown.ts";
import { renderTable } from "../../bench/render-table.ts";
import { toJson } from "../../bench/render-json.ts";
import { listGroups, runBench, selectMeasurements } from "../../bench/run-bench.ts";
import type { BenchResult } from "../../bench/run-bench.ts";
import { loadConfig } from "../../config/config.ts";
import { LuminaGuardError, messageOf } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { benchPlatforms } from "./bench-platforms.ts";
import { exitCodes } from "../exit-codes.ts";
import { showFirstScreen } from "../first-screen.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";
import { createProgress } from "../progress.ts";
import { watchSignals } from "../signals.ts";

export interface BenchCliOptions {
  /** samples of each measurement
   * @default 20 */
  readonly samples?: number;
  readonly json?: boolean;
  readonly write?: string;
  /** results of other hosts to be shown side by side; nothing is measured */
  readonly platforms?: readonly string[];
}

/** A goal that is missed is a result; only what could not be measured makes the command fail. */
export async function bench(
  io: CliIo,
  name: string | undefined,
  { samples = 20, json, write, platforms }: BenchCliOptions,
): Promise<number> {
  if (platforms !== undefined) return benchPlatforms(io, platforms, { json, write });
  const measurements = selectMeasurements(name);
  if (measurements.length === 0) {
    throw new LuminaGuardError("USAGE", `there is no measurement "${String(name)}"`, {
      hint: `groups: ${listGroups().join(", ")}`,
    });
  }
  if (samples < 1) throw new LuminaGuardError("USAGE", "--samples must be 1 or more");
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const progress = createProgress(io);
  let result: BenchResult;
  try {
    result = await runBench({
      lumina,
      measurements,
      samples,
      env: describeEnvironment(),
      showDiff: showFirstScreen,
      signal: signals.signal,
      onPhase: progress.show,
      onMeasurement: ({ name: one, what }) => {
        progress.clear();
        say(io, io.style.dim(`  ${one}: ${what}`));
      },
    });
  } catch (error) {
    if (signals.exitCode !== undefined) return signals.exitCode;
    throw error;
  } finally {
    progress.clear();
  }
  if (write !== undefined) await writeTable(write, renderMarkdown(result));
  if (json === true) printJson(io, toJson(result));
  else io.stdout.write(renderTable(result));
  return result.rows.every(({ value }) => value !== undefined) ? exitCodes.done : exitCodes.failed;
}

/** What this program needs to find the same folders when it is measured as a whole. */
function describeEnvironment(): Readonly<Record<string, string>> {
  const { config, toolEnvironment } = loadConfig();
  return {
    ...toolEnvironment,
    PATH: config.searchPath,
    HOME: config.homeDir,
    LUMINAGUARD_CACHE_DIR: config.cacheDir,
    LUMINAGUARD_STATE_DIR: config.stateDir,
    LUMINAGUARD_CONFIG_DIR: config.configDir,
    LUMINAGUARD_RUNTIME_DIR: config.runtimeDir,
  };
}

async function writeTable(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    throw new LuminaGuardError("HOST_LIMIT", `cannot write ${path}: ${messageOf(error)}`, {
      hint: "name a file in a folder that can be written",
      cause: error,
    });
  }
}
