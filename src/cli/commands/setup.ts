/** `luminaguard setup`: what is done once on a host, told first and asked about. */
import { escapeText } from "../../base/escape-text.ts";
import { LuminaGuardError } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { carryOutJailer, planJailer } from "../../runtime/setup-jailer.ts";
import type { JailerPlan } from "../../runtime/setup-jailer.ts";
import { exitCodes } from "../exit-codes.ts";
import { say } from "../io.ts";
import type { CliIo } from "../io.ts";
import { needKeyboard } from "../keyboard.ts";

/** longest wait for a person's answer, in `ms` */
const answerTimeoutMs = 300_000;

export interface SetupOptions {
  readonly yes?: boolean;
  /** whose files are changed; root's
   * @default this process's user */
  readonly uid?: number | undefined;
  /** where the programs go
   * @default /usr/local/bin */
  readonly folder?: string | undefined;
}

export async function setupJailer(io: CliIo, options: SetupOptions): Promise<number> {
  await using lumina = await createLuminaGuard();
  const { folder, uid = process.getuid?.() } = options;
  const plan = await planJailer(lumina.config.searchPath, folder);
  if (plan.copies.length === 0) {
    say(io, `Firecracker ${plan.version} and its jailer are set up: only root can change them`);
    return exitCodes.done;
  }
  tell(io, plan);
  if (uid !== 0) {
    throw new LuminaGuardError("USAGE", "only root can set up the jailer, and only root uses it", {
      hint: 'sudo env "PATH=$PATH" luminaguard setup jailer; without it machines have the walls that doctor names',
    });
  }
  if (options.yes !== true && !(await asksYes(io))) {
    say(io, "nothing was changed");
    return exitCodes.failed;
  }
  await carryOutJailer(plan);
  say(io, "done: luminaguard doctor shows what root's machines run in");
  return exitCodes.done;
}

function tell(io: CliIo, { version, copies }: JailerPlan): void {
  say(io, `Firecracker ${version} and its jailer are copied, owned by root, 0755:`);
  for (const { from, to } of copies) say(io, `  ${escapeText(from)} → ${escapeText(to)}`);
  say(io, "root's machines then run in the jailer's walls; a program of that name is replaced");
}

async function asksYes(io: CliIo): Promise<boolean> {
  using keyboard = needKeyboard(io);
  say(io, "go on? y does it, any other key leaves all as it is");
  keyboard.settle();
  return (await keyboard.next(answerTimeoutMs))?.text === "y";
}
