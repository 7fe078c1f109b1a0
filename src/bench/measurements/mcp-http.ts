/** Calls of an MCP server over HTTP, beside the SDK's own client with its own transport. */
import { http } from "../../mcp/client/http/http-server.ts";
import { interleave, timed } from "../interleave.ts";
import {
  callMany,
  cpuMs,
  openBare,
  openManaged,
  openSdkHttp,
  startEchoServer,
} from "../mcp/peers.ts";
import type { EchoServer, Peer } from "../mcp/peers.ts";
import type { Measurement } from "../measurement.ts";

const group = "mcp";
const inFlight = 64;
const calls = 1000;
const sequentialCalls = 200;
const floorIs = "the SDK's Client and StreamableHTTPClientTransport, on the same server";
const both =
  "Both clients live in this process and call one server, a child that answers every request of 2026-07-28 with a few words";

export const mcpHttpCpu: Measurement = measureCpu(
  {
    name: "mcp-http-cpu",
    what: "calls over HTTP in a second of the client's processor time, everything on",
    goal: { kind: "ratio-at-least", ratio: 2.3 },
    method: `${both}. A sample is ${calls} calls, ${inFlight} in flight, by the processor time of this process; retries, breaker, health checks, metrics and OpenTelemetry's API are on.`,
  },
  openManaged,
);

export const mcpHttpCpuBare: Measurement = measureCpu(
  {
    name: "mcp-http-bare",
    what: "the same with one attempt, no breaker, no health checks, nobody told",
    goal: { kind: "ratio-at-least", ratio: 3 },
    method: `As mcp-http-cpu, with what endures turned off.`,
  },
  openBare,
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
    await using ours = await openManaged(http(server.url));
    await using theirs = await openSdkHttp(server);
    const middle = async ({ call }: Peer): Promise<number> => {
      const times: number[] = [];
      while (times.length < sequentialCalls) times.push(await timed(call));
      return times.sort((one, other) => one - other)[sequentialCalls / 2] ?? 0;
    };
    return await interleave(
      context,
      samples,
      signal,
      () => middle(ours),
      () => middle(theirs),
    );
  },
};

function measureCpu(
  words: Pick<Measurement, "name" | "what" | "goal" | "method">,
  open: (server: ReturnType<typeof http>) => Promise<Peer>,
): Measurement {
  return {
    ...words,
    group,
    unit: "per s",
    floorIs,
    run: async (context, samples, signal) => {
      await using server: EchoServer = await startEchoServer();
      await using ours = await open(http(server.url));
      await using theirs = await openSdkHttp(server);
      const perCpuSecond = async (peer: Peer): Promise<number> =>
        calls / ((await cpuMs(() => callMany(peer, calls, inFlight))) / 1000);
      for (const peer of [ours, theirs]) await callMany(peer, 2 * calls, inFlight);
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
