/**
 * Results of several hosts side by side: a row for each number, a column for each lane. A lane without a
 * result says so. The files are what `bench --json` printed, on whichever host, so they are checked.
 */
import * as v from "valibot";
import { LuminaGuardError } from "../errors.ts";
import type { Lane } from "../vm/choice/lane.ts";
import { renderNumber } from "./row.ts";

/** What one host measured. */
export interface PlatformResult {
  readonly host: { readonly lane: string; readonly processor: string; readonly date: string };
  /** null: not measured, or without a floor */
  readonly rows: readonly {
    readonly name: string;
    readonly unit: string;
    readonly value: number | null;
    readonly ratio: number | null;
    readonly met: boolean | null;
  }[];
}

const resultSchema: v.GenericSchema<unknown, PlatformResult> = v.object({
  host: v.object({ lane: v.string(), processor: v.string(), date: v.string() }),
  rows: v.array(
    v.object({
      name: v.string(),
      unit: v.string(),
      value: v.nullable(v.number()),
      ratio: v.nullable(v.number()),
      met: v.nullable(v.boolean()),
    }),
  ),
});
export interface PlatformTable {
  readonly results: readonly PlatformResult[];
  /** lanes that no result is of */
  readonly notRun: readonly string[];
}

/** Raises USAGE when the text is not what `bench --json` prints. */
export function parseResult(text: string, file: string): PlatformResult {
  try {
    return v.parse(resultSchema, JSON.parse(text));
  } catch (cause) {
    throw new LuminaGuardError("USAGE", `${file} is not the result of a bench`, {
      hint: "make one on each host: luminaguard bench --json > HOST.json",
      cause,
    });
  }
}

/** Raises USAGE for two results of one lane: which of them counts is not ours to say. */
export function mergePlatforms(
  results: readonly PlatformResult[],
  lanes: readonly Lane[],
): PlatformTable {
  const measured = results.map(({ host }) => host.lane);
  const twice = measured.find((lane, at) => measured.indexOf(lane) !== at);
  if (twice !== undefined) {
    throw new LuminaGuardError("USAGE", `two results are of ${twice}`, {
      hint: "give one of them",
    });
  }
  const notRun = lanes.map(laneName).filter((lane) => !measured.includes(lane));
  return { results, notRun };
}

function laneName({ platform, architecture, backend, accelerator }: Lane): string {
  return `${platform} ${architecture} ${backend}/${accelerator}`;
}

/** As Markdown. */
export function renderPlatforms({ results, notRun }: PlatformTable): string {
  const names = [...new Set(results.flatMap(({ rows }) => rows.map(({ name }) => name)))];
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const head = ["", ...results.map(({ host }) => host.lane)];
  return [
    line(head),
    line(head.map(() => "---")),
    ...names.map((name) => line([name, ...results.map((result) => cellOf(result, name))])),
    "",
    ...results.map(({ host }) => `- ${host.lane}: ${host.processor}, ${host.date}`),
    ...notRun.map((lane) => `- ${lane}: not run`),
    "",
  ].join("\n");
}

function cellOf({ rows }: PlatformResult, name: string): string {
  const row = rows.find((each) => each.name === name);
  if (row?.value == null) return "not measured";
  const ratio = row.ratio === null ? "" : `, ${renderNumber(row.ratio)} × floor`;
  const verdict = row.met === null ? "" : row.met ? ", met" : ", missed";
  return `${renderNumber(row.value)} ${row.unit}${ratio}${verdict}`;
}
