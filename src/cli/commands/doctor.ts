/** `luminaguard doctor`: the truth about the ground. */
import { escapeText } from "../../base/escape-text.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { diagnose } from "../../runtime/doctor.ts";
import type { Finding } from "../../runtime/doctor.ts";
import { createStyle } from "../../tui/style.ts";
import type { Style } from "../../tui/style.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson } from "../io.ts";
import type { CliIo } from "../io.ts";
import { createProgress } from "../progress.ts";

export async function doctor(io: CliIo, { json }: { readonly json?: boolean }): Promise<number> {
  await using lumina = await createLuminaGuard();
  const progress = createProgress(io);
  const diagnosis = await diagnose(lumina, json === true ? {} : { onPhase: progress.show });
  progress.clear();
  const exitCode = diagnosis.canRun ? exitCodes.done : exitCodes.failed;
  if (json === true) {
    printJson(io, diagnosis);
    return exitCode;
  }
  const style = io.stdout.isTTY ? io.style : createStyle(false);
  for (const finding of diagnosis.findings) io.stdout.write(`${render(finding, style)}\n`);
  const verdict = diagnosis.canRun ? "machines can run here" : "machines cannot run here";
  io.stdout.write(`exit ${exitCode}: ${verdict}\n`);
  return exitCode;
}

const indent = " ".repeat(12);

/** One line, and below it what does not fit beside it. */
function render({ name, isPart, what, verdict, detail, fix }: Finding, style: Style): string {
  const good = verdict === "ok" || verdict === "chosen";
  const alarm = verdict === "open" ? style.red : style.yellow;
  const word = good ? style.green(verdict) : alarm(verdict);
  const label = (isPart ? `  ${name}` : name).padEnd(12);
  const head = `${`${label} ${escapeText(what)}`.padEnd(57)} ${word}`;
  const more = [
    detail === "" ? undefined : style.dim(escapeText(detail)),
    fix && `fix: ${escapeText(fix)}`,
  ];
  return [
    head,
    ...more.filter((line) => line !== undefined).map((line) => `${indent} ${line}`),
  ].join("\n");
}
