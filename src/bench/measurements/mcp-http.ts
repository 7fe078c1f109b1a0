/** Calls of an MCP server over HTTP, beside the SDK's own client with its own transport. */
import { interleave } from "../interleave.ts";
import { startPeer } from "../mcp/peer-process.ts";
import type { PeerKind, PeerProcess } from "../mcp/peer-process.ts";
import { startEchoServer } from "../mcp/peers.ts";
import type { Measurement } from "../measurement.ts";

const group = "mcp";
const inFlight = 64;
const calls = 1000;
const sequentialCalls = 200;
/** before the first sample, so that both are compiled */
const warmCalls = 5000;
const floorIs = "the SDK's Client and StreamableHTTPClientTransport, on the same server";
const both =
  "Each client is in a process of its own; both call one server, which answers every request of 2026-07-28 with a few words";

export const mcpHttpCpu: Measurement = measureCpu(
  {
    name: "mcp-http-cpu",
    what: "calls over HTTP in a second of the client's processor time, everything on",
    goal: { kind: "ratio-at-least", ratio: 2.3 },
    method: `${both}. A sample is ${calls} calls, ${inFlight} in flight, by the processor time of the client's process; retries, breaker, health checks, metrics and OpenTelemetry's API are on.`,
  },
  "managed",
);

export const mcpHttpCpuBare: Measurement = measureCpu(
  {
    name: "mcp-http-bare",
    what: "the same with one attempt, no breaker, no health checks, nobody told",
    goal: { kind: "ratio-at-least", ratio: 3 },
    method: `As mcp-http-cpu, with what endures turned off.`,
  },
  "bare",
);

export const mcpHttpP50: Measurement = {
  name: "mcp-http-p50",
  group,
  unit: "ms",
  what: "one call over HTTP after another, the middle one",
  floorIs,
  goal: { kind: "ratio-at-most", ratio: 0.5 },
  method: `${both}. A sample is the middle of ${sequentialCalls} calls, one after another, by the clock.`,
  run: async (context, samples, signal) => {
    await using server = await startEchoServer();
    await using ours = await startPeer("managed", server.url);
    await using theirs = await startPeer("sdk", server.url);
    for (const peer of [ours, theirs]) await peer.measure("middle", warmCalls);
    return await interleave(
      context,
      samples,
      signal,
      () => ours.measure("middle", sequentialCalls),
      () => theirs.measure("middle", sequentialCalls),
    );
  },
};

function measureCpu(
  words: Pick<Measurement, "name" | "what" | "goal" | "method">,
  kind: PeerKind,
): Measurement {
  return {
    ...words,
    group,
    unit: "per s",
    floorIs,
    run: async (context, samples, signal) => {
      await using server = await startEchoServer();
      await using ours = await startPeer(kind, server.url);
      await using theirs = await startPeer("sdk", server.url);
      const perCpuSecond = async (peer: PeerProcess): Promise<number> =>
        1e6 / (await peer.measure("cpu", calls, inFlight));
      for (const peer of [ours, theirs]) await peer.measure("cpu", warmCalls, inFlight);
      return await interleave(
        context,
        samples,
        signal,
        () => perCpuSecond(ours),
        () => perCpuSecond(theirs),
      );
    },
  };
}
