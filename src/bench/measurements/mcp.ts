/** What the MCP client that survives costs when nothing fails, and how fast it is when something does. */
import { getEventListeners, once, setMaxListeners } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { LuminaGuardError } from "../../errors.ts";
import { http } from "../../mcp/client/http/http-server.ts";
import { ManagedClient } from "../../mcp/client/managed-client.ts";
import { interleave } from "../interleave.ts";
import { startPeer } from "../mcp/peer-process.ts";
import type { PeerProcess } from "../mcp/peer-process.ts";
import { callMany, echo, startEchoServer } from "../mcp/peers.ts";
import type { Peer } from "../mcp/peers.ts";
import type { Measurement } from "../measurement.ts";

const group = "mcp";
const inFlight = 64;
const manyCalls = 10_000;
const httpCalls = 1000;
const stdioCalls = 2000;
/** before the first sample, so that both are compiled */
const warmCalls = 5000;

export const mcpStdio: Measurement = {
  name: "mcp-stdio",
  group,
  unit: "per s",
  what: "calls of a child over its stdin and stdout, everything on",
  floorIs: "the SDK's Client and StdioClientTransport, on a child of its own",
  goal: { kind: "ratio-at-least", ratio: 0.95 },
  method: `Each client is in a process of its own and starts a server of its own, the same program; a sample is ${stdioCalls} calls, ${inFlight} in flight, by the clock.`,
  run: async (context, samples, signal) => {
    await using ours = await startPeer("managed-stdio");
    await using theirs = await startPeer("sdk-stdio");
    const perSecond = (peer: PeerProcess): Promise<number> =>
      peer.measure("rate", stdioCalls, inFlight);
    for (const peer of [ours, theirs]) await peer.measure("rate", warmCalls, inFlight);
    return await interleave(
      context,
      samples,
      signal,
      () => perSecond(ours),
      () => perSecond(theirs),
    );
  },
};

export const mcpOverhead: Measurement = {
  name: "mcp-overhead",
  group,
  unit: "µs",
  what: "processor time that surviving adds to a call over HTTP that nothing happens to",
  goal: { kind: "at-most", value: 30 },
  method: `ManagedClient with everything on, less the SDK's Client over the same transport and pool of connections, each in a process of its own. A sample is the difference over ${httpCalls} calls of each, ${inFlight} in flight.`,
  run: async (context, samples, signal) => {
    await using server = await startEchoServer();
    await using ours = await startPeer("managed", server.url);
    await using theirs = await startPeer("plain", server.url);
    for (const peer of [ours, theirs]) await peer.measure("cpu", warmCalls, inFlight);
    const { values, floors } = await interleave(
      context,
      samples,
      signal,
      () => ours.measure("cpu", httpCalls, inFlight),
      () => theirs.measure("cpu", httpCalls, inFlight),
    );
    return { values: values.map((value, at) => value - (floors[at] ?? 0)), floors: [] };
  },
};

export const mcpGrowth: Measurement = {
  name: "mcp-growth",
  group,
  unit: "MiB",
  what: `memory that ${manyCalls.toLocaleString("en")} calls leave behind`,
  goal: { kind: "at-most", value: 1 },
  method: `What lives on the heap after ${manyCalls} calls with one signal for all, less what did after the ${manyCalls} before them, each time after a full collection. It fails when a listener is left on the signal.`,
  run: async () => {
    await using server = await startEchoServer();
    const client = new ManagedClient({ name: "bench", version: "1" });
    await client.connect(http(server.url));
    const { signal } = new AbortController();
    setMaxListeners(0, signal); // every call under way listens
    await using peer: Peer = {
      call: () => client.callTool(echo, { signal }),
      [Symbol.asyncDispose]: () => client.close(),
    };
    await callMany(peer, manyCalls, inFlight);
    const before = liveBytes();
    await callMany(peer, manyCalls, inFlight);
    const grown = (liveBytes() - before) / 1024 ** 2;
    const listeners = getEventListeners(signal, "abort").length;
    if (listeners > 0) {
      throw new LuminaGuardError("MCP_PROTOCOL", `${listeners} listeners are left on the signal`);
    }
    return { values: [Math.max(0, grown)], floors: [] };
  },
};

export const mcpFailover: Measurement = {
  name: "mcp-failover",
  group,
  unit: "ms",
  what: "from the first error of an endpoint to the answer of the next",
  goal: { kind: "at-most", value: 50 },
  method:
    "Of two endpoints one resets the connection once it has the request; a sample is from that reset to the answer that the other gave to the same call.",
  run: async (_context, samples, signal) => {
    await using server = await startEchoServer();
    await using broken = await startBroken();
    const client = new ManagedClient({ name: "bench", version: "1" });
    const prepared = http([server.url, broken.url])
      .withCircuitBreaker(false)
      .withHealthCheck(false);
    await client.connect(prepared);
    const values: number[] = [];
    while (values.length < samples) {
      signal.throwIfAborted();
      const { resets } = broken;
      await client.callTool(echo, { idempotent: true });
      if (broken.resets > resets) values.push(performance.now() - broken.resetAt);
    }
    await client.close();
    return { values, floors: [] };
  },
};

interface Broken extends AsyncDisposable {
  readonly url: URL;
  readonly resets: number;
  readonly resetAt: number;
}

async function startBroken(): Promise<Broken> {
  let resets = 0;
  let resetAt = 0;
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      resets += 1;
      resetAt = performance.now();
      socket.resetAndDestroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`),
    get resets() {
      return resets;
    },
    get resetAt() {
      return resetAt;
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

/** What lives on the heap and beside it after a full collection, in `bytes`. */
function liveBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let round = 0; round < 3; round += 1) collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
