import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderExposition } from "../../../src/metrics/exposition.ts";
import { MetricsRegistry } from "../../../src/metrics/metrics-registry.ts";

interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A reader of the format, written from its description and not from the writer. */
function readSample(line: string): ReadSample {
  const form = /^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\\n]|\\[\\n"])*")*)\})? (\S+)$/u;
  const [, name = "", inner = "", word = ""] = form.exec(line) ?? [];
  expect(name, line).not.toBe("");
  const labels: Record<string, string> = {};
  let rest = inner;
  while (rest !== "") {
    const [pair = "", label = "", text = ""] =
      /^([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/u.exec(rest) ?? [];
    expect(pair, rest).not.toBe("");
    labels[label] = text.replace(/\\(.)/gu, (_, each: string) => (each === "n" ? "\n" : each));
    rest = rest.slice(pair.length);
  }
  return { name, labels, value: Number(word.replace("Inf", "Infinity")) };
}

function read(registry: MetricsRegistry): readonly ReadSample[] {
  const text = renderExposition(registry.snapshot());
  expect(text === "" || text.endsWith("\n")).toBe(true);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map(readSample);
}

const nasty = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("\\", '"', "\n", "n", "{", "}", ",", "=", " ", "é", "\r") }),
);

describe("the page for Prometheus", () => {
  it("has the help, the type and the samples of each metric", () => {
    const registry = new MetricsRegistry();
    const calls = registry.counter({ name: "calls_total", help: "calls", labels: ["method"] });
    calls.add({ method: "tools/call" });
    calls.add({ method: "tools/call" }, 2);
    const up = registry.gauge({ name: "up", help: "a\\b\nc", together: "sum" });
    up.watch((tell) => tell({}, 1.5));
    const wait = registry.histogram({ name: "wait_seconds", help: "wait", bounds: [0.1, 1] });
    for (const value of [0.1, 0.5, 7]) wait.observe({}, value);
    expect(renderExposition(registry.snapshot())).toBe(
      [
        "# HELP calls_total calls",
        "# TYPE calls_total counter",
        'calls_total{method="tools/call"} 3',
        "# HELP up a\\\\b\\nc",
        "# TYPE up gauge",
        "up 1.5",
        "# HELP wait_seconds wait",
        "# TYPE wait_seconds histogram",
        'wait_seconds_bucket{le="0.1"} 1',
        'wait_seconds_bucket{le="1"} 2',
        'wait_seconds_bucket{le="+Inf"} 3',
        "wait_seconds_sum 7.6",
        "wait_seconds_count 3",
        "",
      ].join("\n"),
    );
  });

  it("gives any label back as it was", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(nasty, nasty), { maxLength: 5 }), (pairs) => {
        const registry = new MetricsRegistry();
        const counter = registry.counter({ name: "c_total", help: "c", labels: ["one", "two"] });
        const expected = new Map<string, number>();
        for (const [index, [one, two]] of pairs.entries()) {
          counter.add({ one, two }, index);
          const key = JSON.stringify({ one, two });
          expected.set(key, (expected.get(key) ?? 0) + index);
        }
        const got = read(registry).map(({ labels, value }) => [JSON.stringify(labels), value]);
        expect(got).toEqual([...expected]);
      }),
      { numRuns: 500 },
    );
  });

  it("counts each value in every bucket that has room for it, and in the sum", () => {
    const bounds = fc.uniqueArray(fc.double({ noNaN: true, noDefaultInfinity: true }), {
      maxLength: 8,
      comparator: (one, other) => one === other,
    });
    fc.assert(
      fc.property(bounds, fc.array(fc.double({ noNaN: true })), (unsorted, values) => {
        const sorted = [...unsorted].sort((one, other) => one - other);
        const registry = new MetricsRegistry();
        const histogram = registry.histogram({ name: "h", help: "h", bounds: sorted });
        for (const value of values) histogram.observe({}, value);
        const samples = read(registry);
        if (values.length === 0) {
          expect(samples).toEqual([]);
          return;
        }
        const buckets = samples.filter(({ name }) => name === "h_bucket");
        const limits = [...sorted, Infinity];
        expect(buckets.map(({ value }) => value)).toEqual(
          limits.map((limit) => values.filter((each) => each <= limit).length),
        );
        expect(
          buckets.map(({ labels }) => Number(labels["le"]?.replace("+Inf", "Infinity"))),
        ).toEqual(limits.map((limit) => (Object.is(limit, -0) ? 0 : limit)));
        expect(samples.at(-2)).toMatchObject({ name: "h_sum" });
        expect(samples.at(-1)).toEqual({ name: "h_count", labels: {}, value: values.length });
      }),
    );
  });
});
