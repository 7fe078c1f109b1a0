/** `luminaguard doctor`: the truth about the ground. */
import { escapeText } from "../../base/escape-text.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { describeLane } from "../../runtime/platforms.ts";
import type { Lane } from "../../runtime/platforms.ts";
import { diagnose } from "../../runtime/doctor.ts";
import type { Finding } from "../../runtime/doctor.ts";
import { line, wrapLine } from "../../tui/line.ts";
import { createStyle } from "../../tui/style.ts";
import type { Style } from "../../tui/style.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson } from "../io.ts";
import type { CliIo } from "../io.ts";
import { createProgress } from "../progress.ts";

export interface DoctorOptions {
  readonly json?: boolean;
  /** tell of every platform instead, and look for nothing */
  readonly platforms?: boolean;
}

export async function doctor(io: CliIo, { json, platforms }: DoctorOptions): Promise<number> {
  await using lumina = await createLuminaGuard();
  if (platforms === true) return showPlatforms(io, lumina.host.lanes(), json === true);
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

function showPlatforms(io: CliIo, lanes: readonly Lane[], json: boolean): number {
  if (json) {
    printJson(io, { lanes });
    return exitCodes.done;
  }
  for (const { host, way, can, proven } of lanes.map(describeLane)) {
    io.stdout.write(`${host.padEnd(12)} ${way.padEnd(16)} ${can}\n`);
    for (const { spans } of wrapLine(line(`${indent} ${proven}`, undefined, 13), io.columns)) {
      io.stdout.write(`${spans.map(({ text }) => text).join("")}\n`);
    }
  }
  return exitCodes.done;
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
