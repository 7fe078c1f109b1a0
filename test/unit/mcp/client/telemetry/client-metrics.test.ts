import { describe, expect, it } from "vitest";
import { http } from "../../../../../src/mcp/client/http/http-server.ts";
import type { HttpServer } from "../../../../../src/mcp/client/http/http-server.ts";
import { ManagedClient } from "../../../../../src/mcp/client/managed-client.ts";
import { countTokenRefreshes } from "../../../../../src/mcp/client/telemetry/client-metrics.ts";
import { BoundedNames } from "../../../../../src/mcp/client/telemetry/operation.ts";
import { renderExposition } from "../../../../../src/metrics/exposition.ts";
import { MetricsRegistry } from "../../../../../src/metrics/metrics-registry.ts";
import { HttpReplica } from "../../../../support/mcp/http-replica.ts";

async function connect(server: HttpServer, metrics: MetricsRegistry) {
  const client = new ManagedClient({ name: "test", version: "1" }, { metrics });
  await client.connect(server.withRetry({ initialMs: 1, maxMs: 2 }));
  return { client, [Symbol.asyncDispose]: () => client.close() };
}

/** The lines of the page that begin so. */
function lines(metrics: MetricsRegistry, start: string): readonly string[] {
  const page = renderExposition(metrics.snapshot());
  return page.split("\n").filter((line) => line.startsWith(start));
}

const count = { name: "count", arguments: { key: "a" } };

describe("a client with a registry of metrics", () => {
  it("counts its calls by method, tool, error, network and revision", async () => {
    const metrics = new MetricsRegistry();
    await using replica = await HttpReplica.start();
    await using opened = await connect(http(replica.url), metrics);
    await opened.client.callTool(count);
    await opened.client.callTool(count);
    await opened.client.callTool({ name: "fail", arguments: {} });
    const counts = lines(metrics, "mcp_client_operation_duration_seconds_count");
    const labels = (method: string, tool: string, error: string): string =>
      `mcp_method_name="${method}",gen_ai_tool_name="${tool}",error_type="${error}",network_transport="tcp",mcp_protocol_version="2026-07-28"`;
    expect(counts).toEqual([
      `mcp_client_operation_duration_seconds_count{${labels("connect", "", "")}} 1`,
      `mcp_client_operation_duration_seconds_count{${labels("tools/call", "count", "")}} 2`,
      `mcp_client_operation_duration_seconds_count{${labels("tools/call", "fail", "tool_error")}} 1`,
    ]);
  });

  it("counts retries by reason, and shows the breaker that they opened", async () => {
    const metrics = new MetricsRegistry();
    await using replica = await HttpReplica.start();
    const server = http(replica.url).withCircuitBreaker({ mode: "consecutive", failures: 4 });
    await using opened = await connect(server, metrics);
    const state = (): readonly string[] => lines(metrics, "luminaguard_mcp_breaker_state");
    const { url } = replica;
    expect(state()).toEqual([`luminaguard_mcp_breaker_state{endpoint="${url}"} 0`]);
    replica.fault = (_received, res) => void res.writeHead(503).end();
    const call = opened.client.callTool(count, { idempotent: true });
    await expect(call).rejects.toMatchObject({ code: "MCP_TRANSIENT" });
    expect(lines(metrics, "luminaguard_mcp_retries_total")).toEqual([
      'luminaguard_mcp_retries_total{reason="MCP_TRANSIENT"} 3',
    ]);
    expect(state()).toEqual([`luminaguard_mcp_breaker_state{endpoint="${url}"} 2`]);
  });

  it("shows what is in flight, of two clients together, until they are closed", async () => {
    const metrics = new MetricsRegistry();
    await using replica = await HttpReplica.start();
    const { url } = replica;
    const leave = new AbortController();
    {
      await using one = await connect(http(url), metrics);
      await using two = await connect(http(url), metrics);
      const calls = [one, two].map(({ client }) =>
        client.callTool({ name: "hold", arguments: {} }, { signal: leave.signal }),
      );
      await expect
        .poll(() => lines(metrics, "luminaguard_mcp_endpoint_in_flight"))
        .toEqual([`luminaguard_mcp_endpoint_in_flight{endpoint="${url}"} 2`]);
      leave.abort(new Error("enough"));
      await Promise.allSettled(calls);
      expect(lines(metrics, "luminaguard_mcp_endpoint_in_flight")).toEqual([
        `luminaguard_mcp_endpoint_in_flight{endpoint="${url}"} 0`,
      ]);
    }
    expect(lines(metrics, "luminaguard_mcp_endpoint_in_flight")).toEqual([]);
    const cancelled = lines(metrics, "mcp_client_operation_duration_seconds_count").at(-1);
    expect(cancelled).toContain('error_type="CANCELLED"');
    expect(cancelled).toMatch(/ 2$/);
  });

  it("counts a connection that was made anew", async () => {
    const metrics = new MetricsRegistry();
    await using replica = await HttpReplica.start({ era: "session" });
    await using opened = await connect(http(replica.url), metrics);
    expect(lines(metrics, "luminaguard_mcp_reconnects_total")).toEqual([]);
    replica.forgetSessions();
    await opened.client.callTool(count);
    expect(lines(metrics, "luminaguard_mcp_reconnects_total")).toEqual([
      `luminaguard_mcp_reconnects_total{endpoint="${replica.url}"} 1`,
    ]);
  });

  it("never shows a secret of an address", async () => {
    const metrics = new MetricsRegistry();
    await using replica = await HttpReplica.start();
    const server = http(`${replica.url}?key=hunter2`).withHeaders({ authorization: "hunter2" });
    await using opened = await connect(server, metrics);
    await opened.client.callTool(count);
    expect(renderExposition(metrics.snapshot())).not.toContain("hunter2");
  });
});

it("renewed tokens are counted by why, and failures are not", () => {
  const metrics = new MetricsRegistry();
  const onEvent = countTokenRefreshes(metrics);
  onEvent({ kind: "token-renewed", reason: "expiring" });
  onEvent({ kind: "token-renewed", reason: "expiring" });
  onEvent({ kind: "token-renewed", reason: "rejected" });
  onEvent({ kind: "token-failed", reason: "rejected", code: "MCP_AUTH_REQUIRED" });
  expect(lines(metrics, "luminaguard_mcp_token_refreshes_total")).toEqual([
    'luminaguard_mcp_token_refreshes_total{reason="expiring"} 2',
    'luminaguard_mcp_token_refreshes_total{reason="rejected"} 1',
  ]);
});

it("names that others make up are bounded in number and length", () => {
  const names = new BoundedNames();
  const all = Array.from({ length: 1000 }, (_, at) => names.at(`tool-${String(at)}`));
  expect(new Set(all).size).toBe(201);
  expect(names.at("tool-0")).toBe("tool-0");
  expect(names.at("x".repeat(129))).toBe("other");
});
