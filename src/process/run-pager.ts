/** The person's own pager on the person's terminal: `$PAGER` as every program runs it, by a shell. */
import { spawn } from "node:child_process";
import { createDeferred } from "../base/deferred.ts";
import { LuminaGuardError } from "../errors.ts";

export interface PagerSettings {
  /** as in `$PAGER`, such as `less -S` */
  readonly command: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** where people look: stdout may be a file */
const terminal = 2;

/** Shows the text; resolves when the person leaves. Raises PROCESS_FAILED when the pager cannot be started. */
export async function runPager(settings: PagerSettings, text: string): Promise<void> {
  const { command, environment } = settings;
  const child = spawn("/bin/sh", ["-c", command], {
    env: { ...environment },
    stdio: ["pipe", terminal, terminal],
  });
  const ended = createDeferred<undefined>();
  child.once("error", (cause) => {
    const hint = "unset PAGER to see it here";
    ended.reject(
      new LuminaGuardError("PROCESS_FAILED", "the pager does not start", { hint, cause }),
    );
  });
  child.once("exit", () => ended.resolve(undefined));
  child.stdin?.on("error", () => undefined); // a person leaves before the end
  child.stdin?.end(text);
  await ended.promise;
}
