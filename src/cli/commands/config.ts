/** `luminaguard config show`: each value with where it comes from. */
import { loadConfig } from "../../config/config.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson } from "../io.ts";
import type { CliIo } from "../io.ts";

export function configShow(io: CliIo, { json }: { readonly json?: boolean }): Promise<number> {
  const { entries } = loadConfig();
  if (json === true) printJson(io, entries);
  else {
    for (const { key, value, origin } of entries) {
      io.stdout.write(
        `${key.padEnd(17)} ${value}  (${origin === "default" ? origin : `from ${origin}`})\n`,
      );
    }
  }
  return Promise.resolve(exitCodes.done);
}
