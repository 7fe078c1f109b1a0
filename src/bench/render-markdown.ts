/** BENCHMARKS.md: the machine, the numbers, how each was taken, and which goals are missed and why. */
import { renderGoal, renderNumber, renderVerdict } from "./row.ts";
import type { Row } from "./row.ts";
import type { HostFacts } from "./host-facts.ts";
import type { BenchResult } from "./run-bench.ts";

export function renderMarkdown({ host, samples, durationMs, rows }: BenchResult): string {
  const took = `${Math.round(durationMs / 1000)} s`;
  return [
    "# Benchmarks",
    "",
    `Written by \`luminaguard bench --samples ${samples} --write BENCHMARKS.md\` on ${host.date}, in one run of ${took}. Do not edit it: run it.`,
    "",
    ...renderHost(host),
    "",
    "## Numbers",
    "",
    "Medians. *p95*: 95 of 100 samples are this good or better. *ratio*: the median by the floor's median.",
    "Value and floor are measured in turn (A B A B …) after one round that is not counted, each when nothing of the one before still runs; no sample is left out.",
    "",
    ...table(
      ["", "what", "median", "p95", "floor", "ratio", "goal", ""],
      rows.map((row) => [
        row.measurement.name,
        row.measurement.what,
        `${renderNumber(row.value?.median)} ${row.measurement.unit}`,
        renderNumber(row.value?.p95),
        renderNumber(row.floor?.median),
        renderNumber(row.ratio),
        renderGoal(row.measurement),
        renderVerdict(row),
      ]),
    ),
    "",
    ...renderMissed(rows),
    "",
    "## Method",
    "",
    ...rows.flatMap(renderMethod),
    "## Spread",
    "",
    ...table(
      ["", "unit", "samples", "p50", "p95", "min", "max", "floor p50", "p95", "min", "max"],
      rows.map(({ measurement, value, floor }) => [
        measurement.name,
        measurement.unit,
        String(value?.samples ?? 0),
        ...[value?.median, value?.p95, value?.min, value?.max].map(renderNumber),
        ...[floor?.median, floor?.p95, floor?.min, floor?.max].map(renderNumber),
      ]),
    ),
    "",
  ].join("\n");
}

function renderHost(host: HostFacts): readonly string[] {
  return table(
    ["host", ""],
    [
      ["processor", `${host.processor}, ${host.cores} cores`],
      ["memory", `${(host.memoryMib / 1024).toFixed(1)} GiB`],
      ["kernel", host.kernel],
      ["hypervisor", host.hypervisor],
      ["Node", host.node],
      ["image", `\`${host.image}\`, Linux ${host.guestKernel}`],
    ],
  );
}

function renderMissed(rows: readonly Row[]): readonly string[] {
  const missed = rows.filter(({ met }) => met !== true);
  if (missed.length === 0) return ["Every goal is met."];
  return [
    "### Not met",
    "",
    ...missed.map((row) => {
      const { measurement, value, ratio, notes } = row;
      const of = ratio === undefined ? "" : `, ${renderNumber(ratio)} × floor`;
      const got = `${renderNumber(value?.median)} ${measurement.unit}${of}`;
      const verdict = row.met === false ? (measurement.knownReason ?? "") : notes.join("; ");
      return `- **${measurement.name}**: ${got}; goal ${renderGoal(measurement)}. ${verdict}`.trimEnd();
    }),
  ];
}

function renderMethod({ measurement, notes }: Row): readonly string[] {
  const { name, what, floorIs, method } = measurement;
  const floor = floorIs === undefined ? [] : [`Floor: ${floorIs}.`];
  return [
    `**${name}**: ${what}. ${[...floor, method].join(" ")}`,
    "",
    ...notes.flatMap((note) => [`- ${note}`]),
    ...(notes.length === 0 ? [] : [""]),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}
