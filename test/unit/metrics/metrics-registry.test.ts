import { describe, expect, it } from "vitest";
import { MetricsRegistry } from "../../../src/metrics/metrics-registry.ts";

describe("a registry of metrics", () => {
  it("gives the same metric to whoever declares it again, and refuses another of its name", () => {
    const registry = new MetricsRegistry();
    const declare = () => registry.counter({ name: "c_total", help: "c", labels: ["why"] });
    expect(declare()).toBe(declare());
    expect(() => registry.counter({ name: "c_total", help: "c" })).toThrow("something else");
    expect(() => registry.gauge({ name: "c_total", help: "c", together: "sum" })).toThrow();
    expect(registry.snapshot()).toHaveLength(1);
  });

  it("refuses names that Prometheus cannot read, and bounds that do not rise", () => {
    const registry = new MetricsRegistry();
    for (const name of ["", "1st", "a b", "a-b", "a{", "a\n"]) {
      expect(() => registry.counter({ name, help: "" })).toThrow("names no metric");
      expect(() => registry.counter({ name: "c", help: "", labels: [name] })).toThrow();
    }
    for (const bounds of [[1, 1], [2, 1], [Number.NaN], [1, Infinity]]) {
      expect(() => registry.histogram({ name: "h", help: "", bounds })).toThrow("do not rise");
    }
  });

  it("counts what has no room under other, and loses nothing", () => {
    const registry = new MetricsRegistry();
    const labels = ["tool", "era"] as const;
    const counter = registry.counter({ name: "c_total", help: "c", labels, seriesMax: 10 });
    for (let call = 0; call < 1000; call += 1) {
      counter.add({ tool: `tool-${String(call % 100)}`, era: "modern" });
    }
    const samples = counter.read();
    expect(samples).toHaveLength(11);
    expect(samples.reduce((sum, { value }) => sum + value, 0)).toBe(1000);
    expect(samples.at(-1)).toEqual({ labels: { tool: "other", era: "other" }, value: 900 });
  });

  it("never counts down, and leaves out what is no number", () => {
    const registry = new MetricsRegistry();
    const counter = registry.counter({ name: "c_total", help: "c" });
    counter.add({}, 2);
    counter.add({}, -1);
    counter.add({}, Number.NaN);
    expect(counter.read()).toEqual([{ labels: {}, value: 2 }]);
    const histogram = registry.histogram({ name: "h", help: "h", bounds: [1] });
    histogram.observe({}, Number.NaN);
    expect(histogram.read()).toEqual([]);
  });

  it("adds up, or takes the worst of, what several readers tell of one gauge", () => {
    const registry = new MetricsRegistry();
    const labels = ["endpoint"] as const;
    const sum = registry.gauge({ name: "in_flight", help: "f", labels, together: "sum" });
    const worst = registry.gauge({ name: "state", help: "s", labels, together: "max" });
    for (const gauge of [sum, worst]) {
      gauge.watch((tell) => tell({ endpoint: "a" }, 2));
      gauge.watch((tell) => tell({ endpoint: "a" }, 1));
    }
    const end = sum.watch((tell) => tell({ endpoint: "b" }, 5));
    expect(sum.read()).toEqual([
      { labels: { endpoint: "a" }, value: 3 },
      { labels: { endpoint: "b" }, value: 5 },
    ]);
    end();
    expect(sum.read()).toEqual([{ labels: { endpoint: "a" }, value: 3 }]);
    expect(worst.read()).toEqual([{ labels: { endpoint: "a" }, value: 2 }]);
  });

  it("takes a value into a histogram of five labels in half a microsecond", () => {
    const histogram = new MetricsRegistry().histogram({
      name: "h",
      help: "h",
      labels: ["method", "tool", "error", "network", "version"],
      bounds: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
    });
    const tools = Array.from({ length: 50 }, (_, at) => `tool-${String(at)}`);
    const count = 50_000;
    let least = Infinity;
    for (let round = 0; round < 20; round += 1) {
      const before = process.cpuUsage();
      for (let call = 0; call < count; call += 1) {
        const tool = tools[call % 50] ?? "";
        histogram.observe(
          { method: "tools/call", tool, error: "", network: "tcp", version: "2026-07-28" },
          call / 10_000,
        );
      }
      const { user, system } = process.cpuUsage(before);
      least = Math.min(least, (user + system) / count);
    }
    expect(least).toBeLessThan(0.5);
  });
});
