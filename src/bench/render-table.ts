/** The result for a terminal: a table of 80 columns, then what is missed. Pure text, no colour. */
import { renderGoal, renderNumber, renderVerdict } from "./row.ts";
import type { Row } from "./row.ts";
import type { BenchResult } from "./run-bench.ts";

type Cells = readonly [string, ...string[]];

/** the first column reads from the left, the others from the right */
const widths = [13, 9, 9, 9, 7, 17, 9] as const;
const heads: Cells = ["", "median", "p95", "floor", "ratio", "goal", ""];

export function renderTable({ host, durationMs, rows }: BenchResult): string {
  const lines = rows.flatMap((row) => [line(cellsOf(row)), ...row.notes.map(indent)]);
  const met = rows.filter((row) => row.met === true).length;
  const measured = `${host.processor}, ${host.cores} cores · ${host.hypervisor}`;
  const took = `${Math.round(durationMs / 1000)} s`;
  const end = `${met} of ${rows.length} goals met · ${took}`;
  return `${[measured, "", line(heads), ...lines, "", end].join("\n")}\n`;
}

function cellsOf(row: Row): Cells {
  const { measurement, value, floor, ratio } = row;
  return [
    measurement.name,
    `${renderNumber(value?.median)} ${unitOf(row)}`,
    renderNumber(value?.p95),
    renderNumber(floor?.median),
    renderNumber(ratio),
    renderGoal(measurement),
    renderVerdict(row),
  ];
}

/** "machines" is longer than a column. */
function unitOf({ measurement }: Row): string {
  return measurement.unit === "machines" ? "" : measurement.unit;
}

function line(cells: Cells): string {
  const padded = cells.map((cell, index) => {
    const width = widths[index] ?? 0;
    return index === 0 ? cell.padEnd(width) : cell.padStart(width);
  });
  return padded.join(" ").trimEnd();
}

function indent(note: string): string {
  return `  ${note}`;
}
