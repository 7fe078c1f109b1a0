/** `luminaguard bench --platforms`: the results of several hosts as one table. */
import { readFile, writeFile } from "node:fs/promises";
import { mergePlatforms, parseResult, renderPlatforms } from "../../bench/merge-platforms.ts";
import { LuminaGuardError, messageOf } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson } from "../io.ts";
import type { CliIo } from "../io.ts";

export interface BenchPlatformsOptions {
  readonly json?: boolean | undefined;
  readonly write?: string | undefined;
}

/** Raises USAGE for a file that cannot be read or is no result. */
export async function benchPlatforms(
  io: CliIo,
  files: readonly string[],
  { json, write }: BenchPlatformsOptions,
): Promise<number> {
  const results = await Promise.all(
    files.map(async (file) => parseResult(await readResult(file), file)),
  );
  await using lumina = await createLuminaGuard();
  const table = mergePlatforms(results, lumina.host.lanes());
  const text = renderPlatforms(table);
  if (write !== undefined) await writeFile(write, text);
  if (json === true) printJson(io, table);
  else io.stdout.write(text);
  return exitCodes.done;
}

async function readResult(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new LuminaGuardError("USAGE", `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
