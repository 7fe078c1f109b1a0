import { describe, expect, test } from "vitest";
import { allMeasurements } from "../../../src/bench/all-measurements.ts";
import type { HostFacts } from "../../../src/bench/host-facts.ts";
import { toJson } from "../../../src/bench/render-json.ts";
import { renderMarkdown } from "../../../src/bench/render-markdown.ts";
import { renderTable } from "../../../src/bench/render-table.ts";
import { createRow } from "../../../src/bench/row.ts";
import type { BenchResult } from "../../../src/bench/run-bench.ts";
import { listGroups, selectMeasurements } from "../../../src/bench/run-bench.ts";

const host: HostFacts = {
  lane: "linux x64 qemu/tcg",
  processor: "A Processor",
  cores: 2,
  memoryMib: 24_105,
  kernel: "linux 6.1.0 x64",
  node: "v20.20.2",
  hypervisor: "qemu 7.2.22, tcg",
  image: "sha256-00",
  guestKernel: "6.1.0-56-cloud-amd64",
  date: "2026-01-31",
};

/** Every measurement with the same numbers, of which some goals are met and some are not. */
const result: BenchResult = {
  host,
  samples: 3,
  durationMs: 12_345,
  rows: allMeasurements.map((measurement) =>
    createRow(measurement, { values: [1234.5, 1200, 1300], floors: [1000, 1000, 1000] }),
  ),
};

describe("the table", () => {
  test("fits a terminal of 80 columns, whatever is in it", () => {
    for (const line of renderTable(result).split("\n")) expect(line.length).toBeLessThan(81);
  });

  test("names the host, each measurement, and how many goals are met", () => {
    const text = renderTable(result);
    for (const { name } of allMeasurements) expect(text).toMatch(new RegExp(`^${name} `, "m"));
    expect(text).toContain("A Processor, 2 cores · qemu 7.2.22, tcg");
    const met = result.rows.filter((row) => row.met === true).length;
    expect(text).toContain(`${met} of ${allMeasurements.length} goals met`);
  });

  test("never invents a number that was not measured", () => {
    const [measurement] = allMeasurements;
    if (measurement === undefined) throw new Error("there are measurements");
    const notes = ["not measured: no room"];
    const row = createRow(measurement, { values: [], floors: [], notes });
    const text = renderTable({ ...result, rows: [row] });
    expect(text).toMatch(/cold-boot +– ms +– +– +– .*failed\n {2}not measured: no room/);
  });
});

describe("the page", () => {
  test("has the host, every number's method, and a list of what is missed", () => {
    const page = renderMarkdown(result);
    expect(page).toContain("| processor | A Processor, 2 cores |");
    expect(page).toContain("on 2026-01-31, in one run of 12 s");
    for (const { measurement, met } of result.rows) {
      expect(page).toContain(`**${measurement.name}**: ${measurement.what}.`);
      const listed = new RegExp(`^- \\*\\*${measurement.name}\\*\\*: .*goal`, "m").test(page);
      expect(listed, measurement.name).toBe(met !== true);
    }
  });

  test("gives a reason only for a goal that is missed", () => {
    const [measurement] = allMeasurements;
    if (measurement === undefined) throw new Error("there are measurements");
    const explained = { ...measurement, knownReason: "Because of physics." };
    const page = (value: number): string => {
      const row = createRow(explained, { values: [value], floors: [1] });
      return renderMarkdown({ ...result, rows: [row] });
    };
    expect(page(100)).toContain("Because of physics.");
    expect(page(1)).not.toContain("physics");
    expect(page(1)).toContain("Every goal is met.");
  });
});

test("the document for programs has the promised members in every row", () => {
  const { rows } = toJson(result) as { rows: Record<string, unknown>[] };
  const members = ["name", "unit", "value", "floor", "ratio", "goal", "met", "samples"];
  expect(rows).toHaveLength(allMeasurements.length);
  for (const row of rows) expect(Object.keys(row)).toEqual(expect.arrayContaining(members));
  expect(rows[0]).toMatchObject({ name: "cold-boot", value: 1234.5, floor: 1000, samples: 3 });
});

describe("the measurements", () => {
  test("have names of their own, and each group and name can be asked for", () => {
    const names = allMeasurements.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(selectMeasurements(undefined)).toBe(allMeasurements);
    expect(selectMeasurements("clone").map(({ name }) => name)).toEqual(["clone-of-boot", "clone"]);
    expect(selectMeasurements("files-in").map(({ name }) => name)).toEqual(["files-in"]);
    expect(selectMeasurements("nothing")).toEqual([]);
    for (const group of listGroups()) expect(selectMeasurements(group)).not.toEqual([]);
  });

  test("hold to these goals", () => {
    expect(Object.fromEntries(allMeasurements.map(({ name, goal }) => [name, goal]))).toEqual({
      "cold-boot": { kind: "ratio-at-most", ratio: 1.3 },
      "clone-of-boot": { kind: "ratio-at-most", ratio: 0.1 },
      clone: { kind: "ratio-at-most", ratio: 1.5 },
      "cli-run": { kind: "at-most", value: 450 },
      "cli-version": { kind: "ratio-at-most", ratio: 2 },
      "pool-claim": { kind: "at-most", value: 2 },
      "pool-exec": { kind: "at-most", value: 15 },
      "warm-exec": { kind: "ratio-at-most", ratio: 2 },
      "files-in": { kind: "ratio-at-least", ratio: 0.7 },
      "files-out": { kind: "ratio-at-least", ratio: 0.7 },
      "cliff-allow": { kind: "ratio-at-most", ratio: 1 },
      "cliff-rate": { kind: "at-least", value: 1000 },
      "cliff-pending": { kind: "at-most", value: 50 },
      "cliff-memory": { kind: "at-most", value: 32 },
      "ledger-commit": { kind: "ratio-at-most", ratio: 2 },
      "audit-verify": { kind: "at-most", value: 2000 },
      "mcp-http-cpu": { kind: "ratio-at-least", ratio: 2.3 },
      "mcp-http-bare": { kind: "ratio-at-least", ratio: 3 },
      "mcp-http-p50": { kind: "ratio-at-most", ratio: 0.5 },
      "mcp-stdio": { kind: "ratio-at-least", ratio: 0.95 },
      "mcp-overhead": { kind: "at-most", value: 30 },
      "mcp-growth": { kind: "at-most", value: 1 },
      "mcp-failover": { kind: "at-most", value: 50 },
      "snapshot-stop": { kind: "ratio-at-most", ratio: 1 },
      checkpoint: { kind: "at-most", value: 40 },
      fork: { kind: "ratio-at-most", ratio: 1.2 },
      "forks-memory": { kind: "ratio-at-most", ratio: 1.5 },
      "move-pause": { kind: "at-most", value: 200 },
      "node-again": { kind: "ratio-at-most", ratio: 1.5 },
      "oci-image": { kind: "ratio-at-most", ratio: 1.5 },
      "idle-memory": { kind: "at-most", value: 45 },
      "fleet-memory": { kind: "ratio-at-most", ratio: 1.05 },
      "fleet-answers": { kind: "at-least", value: 60 },
      "verdict-20": { kind: "at-most", value: 0.5 },
      "verdict-200": { kind: "at-most", value: 1.2 },
      "card-screen": { kind: "at-most", value: 100 },
    });
  });
});
