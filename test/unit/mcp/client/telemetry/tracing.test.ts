import { SpanKind, SpanStatusCode, context, trace } from "@opentelemetry/api";
import { describe, expect, it } from "vitest";
import { http } from "../../../../../src/mcp/client/http/http-server.ts";
import { ManagedClient } from "../../../../../src/mcp/client/managed-client.ts";
import type { ManagedClientOptions } from "../../../../../src/mcp/client/client-options.ts";
import { HttpReplica } from "../../../../support/mcp/http-replica.ts";
import { KeptTelemetry } from "../../../../support/mcp/open-telemetry.ts";

async function connect(replica: HttpReplica, options: ManagedClientOptions = {}) {
  const client = new ManagedClient({ name: "test", version: "1" }, options);
  await client.connect(http(replica.url).withRetry({ initialMs: 1, maxMs: 2 }));
  return { client, [Symbol.asyncDispose]: () => client.close() };
}

function metaOf(replica: HttpReplica, method: string): Record<string, unknown> {
  const text = replica.calls(method).at(-1)?.text ?? "{}";
  const { params = {} } = JSON.parse(text) as { params?: { _meta?: Record<string, unknown> } };
  return params._meta ?? {};
}

const count = { name: "count", arguments: { key: "a" } };

describe("with an OpenTelemetry SDK registered, a call", () => {
  it("is a span of a client with the conventions' attributes, and a measurement in seconds", async () => {
    using kept = new KeptTelemetry();
    await using replica = await HttpReplica.start();
    await using opened = await connect(replica);
    await opened.client.callTool(count);
    const span = kept.spans.at(-1);
    expect(span).toMatchObject({
      name: "tools/call count",
      options: { kind: SpanKind.CLIENT },
      status: undefined,
      isEnded: true,
    });
    const common = {
      "mcp.method.name": "tools/call",
      "gen_ai.tool.name": "count",
      "gen_ai.operation.name": "execute_tool",
      "mcp.protocol.version": "2026-07-28",
      "network.transport": "tcp",
    };
    const port = Number(new URL(replica.url).port);
    expect(span?.attributes).toEqual({
      ...common,
      "server.address": "127.0.0.1",
      "server.port": port,
    });
    const measured = kept.measured.at(-1);
    expect(measured).toMatchObject({ name: "mcp.client.operation.duration", attributes: common });
    expect(measured?.value).toBeGreaterThan(0);
    expect(measured?.value).toBeLessThan(10);
  });

  it("takes W3C's trace context to the server, and nothing else that a propagator writes", async () => {
    using kept = new KeptTelemetry();
    await using replica = await HttpReplica.start();
    await using opened = await connect(replica);
    await opened.client.callTool(count);
    const meta = metaOf(replica, "tools/call");
    const spanId = kept.spans.at(-1)?.spanId ?? "";
    expect(meta).toMatchObject({
      traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-${spanId}-01`,
      tracestate: "rojo=00f067aa0ba902b7",
      baggage: "user=alice",
    });
    expect(meta).not.toHaveProperty("b3");
    await opened.client.listTools();
    expect(metaOf(replica, "tools/list")).toHaveProperty("traceparent");
  });

  it("keeps what the program itself put into the request", async () => {
    using _kept = new KeptTelemetry();
    await using replica = await HttpReplica.start();
    await using opened = await connect(replica);
    await opened.client.callTool({ ...count, _meta: { traceparent: "mine", "a.b/c": 1 } });
    expect(metaOf(replica, "tools/call")).toMatchObject({
      traceparent: "mine",
      "a.b/c": 1,
      baggage: "user=alice",
    });
  });

  it("belongs to the span in which it was made", async () => {
    using kept = new KeptTelemetry();
    await using replica = await HttpReplica.start();
    await using opened = await connect(replica);
    const outer = trace.getTracer("test").startSpan("outer");
    await context.with(trace.setSpan(context.active(), outer), () => opened.client.callTool(count));
    expect(kept.spans.at(-1)).toMatchObject({
      name: "tools/call count",
      parent: outer.spanContext().spanId,
    });
  });

  it("says nothing to an older server, which has no place for it", async () => {
    using kept = new KeptTelemetry();
    await using replica = await HttpReplica.start({ era: "session" });
    await using opened = await connect(replica);
    await opened.client.callTool(count);
    expect(metaOf(replica, "tools/call")).not.toHaveProperty("traceparent");
    const { attributes } = kept.spans.at(-1) ?? {};
    expect(attributes?.["mcp.protocol.version"]).toBe("2025-11-25");
    expect(JSON.stringify(attributes)).not.toContain(
      String(replica.calls("tools/call").at(-1)?.headers["mcp-session-id"]),
    );
  });

  it("tells of each retry, and of the error it ends with", async () => {
    using kept = new KeptTelemetry();
    await using replica = await HttpReplica.start();
    await using opened = await connect(replica);
    replica.fault = (_received, res) => void res.writeHead(503, { "retry-after": "0" }).end();
    await expect(opened.client.callTool(count)).rejects.toMatchObject({ code: "MCP_TRANSIENT" });
    const span = kept.spans.at(-1);
    expect(span?.events).toHaveLength(3);
    expect(span?.events[0]).toEqual({
      name: "retry",
      attributes: { "error.type": "MCP_TRANSIENT" },
    });
    expect(span?.attributes["error.type"]).toBe("MCP_TRANSIENT");
    expect(span?.status?.code).toBe(SpanStatusCode.ERROR);
    expect(kept.measured.at(-1)?.attributes["error.type"]).toBe("MCP_TRANSIENT");
  });

  it("names the code of a JSON-RPC error, and a tool that says it failed", async () => {
    using kept = new KeptTelemetry();
    await using replica = await HttpReplica.start();
    await using opened = await connect(replica);
    await opened.client.callTool({ name: "fail", arguments: {} });
    expect(kept.spans.at(-1)?.attributes["error.type"]).toBe("tool_error");
    await expect(opened.client.callTool({ name: "nobody" })).rejects.toThrow();
    expect(kept.spans.at(-1)?.attributes).toMatchObject({
      "error.type": "-32602",
      "rpc.response.status_code": "-32602",
    });
  });

  it("names a resource without what may be a secret, and not in measurements", async () => {
    using kept = new KeptTelemetry();
    await using replica = await HttpReplica.start();
    await using opened = await connect(replica);
    const uri = "https://user:hunter2@host/path?token=hunter2#hunter2";
    await expect(opened.client.readResource({ uri })).rejects.toThrow();
    const span = kept.spans.at(-1);
    expect(span?.name).toBe("resources/read");
    expect(span?.attributes["mcp.resource.uri"]).toBe("https://host/path");
    expect(JSON.stringify([span?.attributes, kept.measured])).not.toContain("hunter2");
    expect(kept.measured.at(-1)?.attributes).not.toHaveProperty("mcp.resource.uri");
  });

  it("is measured but carries nothing where its span is not recorded", async () => {
    using kept = new KeptTelemetry(false);
    await using replica = await HttpReplica.start();
    await using opened = await connect(replica);
    await opened.client.callTool(count);
    expect(metaOf(replica, "tools/call")).not.toHaveProperty("traceparent");
    expect(kept.measured.at(-1)?.attributes["gen_ai.tool.name"]).toBe("count");
  });

  it("is nobody's business where the program says so", async () => {
    using kept = new KeptTelemetry();
    await using replica = await HttpReplica.start();
    await using opened = await connect(replica, { openTelemetry: false });
    await opened.client.callTool(count);
    expect([...kept.spans, ...kept.measured]).toEqual([]);
  });
});
