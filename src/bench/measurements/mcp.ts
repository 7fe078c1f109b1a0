/** What the MCP client that survives costs when nothing fails, and how fast it is when something does. */
import { getEventListeners, once, setMaxListeners } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { LuminaGuardError } from "../../errors.ts";
import { hostClock } from "../../base/clock.ts";
import { createConnectionPool } from "../../mcp/client/http/connector.ts";
import { createHttpDialer } from "../../mcp/client/http/http-dialer.ts";
import { http } from "../../mcp/client/http/http-server.ts";
import { createLeanFetch } from "../../mcp/client/http/lean-fetch.ts";
import { ManagedClient } from "../../mcp/client/managed-client.ts";
import { stdio } from "../../mcp/client/stdio/stdio-dialer.ts";
import { interleave } from "../interleave.ts";
import {
  callMany,
  cpuMs,
  createSdkClient,
  echo,
  openManaged,
  openSdk,
  startEchoServer,
  stdioEcho,
  toPeer,
} from "../mcp/peers.ts";
import type { Peer } from "../mcp/peers.ts";
import type { Measurement } from "../measurement.ts";

const group = "mcp";
const inFlight = 64;
const manyCalls = 10_000;

export const mcpStdio: Measurement = {
  name: "mcp-stdio",
  group,
  unit: "per s",
  what: "calls of a child over its stdin and stdout, everything on",
  floorIs: "the SDK's Client and StdioClientTransport, on a child of its own",
  goal: { kind: "ratio-at-least", ratio: 0.95 },
  method: `Two children run the same program, one for each client; a sample is 2000 calls, ${inFlight} in flight, by the clock.`,
  run: async (context, samples, signal) => {
    const command = process.execPath;
    await using ours = await openManaged(stdio({ command, args: stdioEcho, env: {} }));
    const transport = new StdioClientTransport({ command, args: [...stdioEcho], env: {} });
    await using theirs = await openSdk(transport);
    const calls = 2000;
    const perSecond = async (peer: Peer): Promise<number> => {
      const startedAt = performance.now();
      await callMany(peer, calls, inFlight);
      return calls / ((performance.now() - startedAt) / 1000);
    };
    for (const peer of [ours, theirs]) await callMany(peer, calls, inFlight);
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
  method: `ManagedClient with everything on, less the SDK's Client over the very same transport and connections, in turn. A sample is the difference over 1000 calls of each, ${inFlight} in flight.`,
  run: async (context, samples, signal) => {
    await using server = await startEchoServer();
    await using ours = await openManaged(http(server.url));
    await using theirs = await openOverOurTransport(server.url, signal);
    const calls = 1000;
    const microseconds = async (peer: Peer): Promise<number> =>
      ((await cpuMs(() => callMany(peer, calls, inFlight))) * 1000) / calls;
    for (const peer of [ours, theirs]) await callMany(peer, 2 * calls, inFlight);
    const { values, floors } = await interleave(
      context,
      samples,
      signal,
      () => microseconds(ours),
      () => microseconds(theirs),
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

/** The SDK's client on the transport and connections that ours has. */
async function openOverOurTransport(url: URL, signal: AbortSignal): Promise<Peer> {
  const { options } = http(url);
  const pool = createConnectionPool({ connectMs: 5000, tlsMs: 5000, connectionsMax: inFlight });
  const limits = { ...options.timeouts, answerBytesMax: options.limits.answerBytesMax };
  const fetch = createLeanFetch({ dispatcher: pool, limits, clock: hostClock });
  const closePool = (): Promise<void> => pool.destroy();
  const dialer = createHttpDialer({ url, fetch, headers: {}, mode: "streamable", closePool });
  const createClient = createSdkClient;
  const { client } = await dialer.dial({ createClient, prior: undefined, timeoutMs: 5000, signal });
  const peer = toPeer(client);
  return {
    ...peer,
    [Symbol.asyncDispose]: async () => {
      await peer[Symbol.asyncDispose]();
      await dialer.close();
    },
  };
}

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
