/**
 * Metrics as text, in Prometheus' exposition format 0.0.4, which every scraper reads:
 *
 *   # HELP calls_total how many calls were made
 *   # TYPE calls_total counter
 *   calls_total{method="tools/call"} 3
 */
import type { SpreadSample } from "./instruments.ts";
import type { MetricSnapshot } from "./metrics-registry.ts";

/** Pure text, to be served as `text/plain; version=0.0.4; charset=utf-8`; ends with a line end, or is empty. */
export function renderExposition(metrics: readonly MetricSnapshot[]): string {
  return metrics.map((each) => `${renderMetric(each).join("\n")}\n`).join("");
}

function renderMetric(metric: MetricSnapshot): readonly string[] {
  const { name, help, kind } = metric;
  const head = [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${kind}`];
  if (metric.kind !== "histogram") {
    const lines = metric.samples.map(({ labels, value }) => renderLine(name, labels, value));
    return [...head, ...lines];
  }
  const { bounds, samples } = metric;
  return [...head, ...samples.flatMap((each) => renderSpread(name, bounds, each))];
}

/** Buckets are cumulated: each counts all that is at most its bound. */
function renderSpread(
  name: string,
  bounds: readonly number[],
  { labels, counts, sum }: SpreadSample,
): readonly string[] {
  let count = 0;
  const buckets = counts.map((each, at) => {
    count += each;
    const le = renderValue(bounds[at] ?? Number.POSITIVE_INFINITY);
    return renderLine(`${name}_bucket`, { ...labels, le }, count);
  });
  return [
    ...buckets,
    renderLine(`${name}_sum`, labels, sum),
    renderLine(`${name}_count`, labels, count),
  ];
}

function renderLine(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  const braces = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
  return `${name}${braces} ${renderValue(value)}`;
}

function renderValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
