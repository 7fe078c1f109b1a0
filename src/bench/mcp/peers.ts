/** The two that are compared, and the server that both of them call: ours, and the SDK's own client. */
import { once } from "node:events";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { Transport } from "@modelcontextprotocol/client";
import { hostClock } from "../../base/clock.ts";
import { createConnectionPool } from "../../mcp/client/http/connector.ts";
import { createHttpDialer } from "../../mcp/client/http/http-dialer.ts";
import { http } from "../../mcp/client/http/http-server.ts";
import type { HttpServer } from "../../mcp/client/http/http-server.ts";
import { createLeanFetch } from "../../mcp/client/http/lean-fetch.ts";
import { ManagedClient } from "../../mcp/client/managed-client.ts";
import type { ManagedClientOptions } from "../../mcp/client/client-options.ts";
import type { McpServer } from "../../mcp/client/plan.ts";
import { MetricsRegistry } from "../../metrics/metrics-registry.ts";
import { startService } from "../../process/start-service.ts";
import { echoServerFile } from "./echo-server.ts";

export interface Peer extends AsyncDisposable {
  /** Makes one call and waits for its answer. */
  readonly call: () => Promise<unknown>;
}

export interface EchoServer extends AsyncDisposable {
  readonly url: URL;
}

const info = { name: "bench", version: "1" };
const graceMs = 2000;

/** one call: a tool that gives a few words back */
export const echo = { name: "echo", arguments: { words: "a few words" } } as const;

/** arguments after `node` that start the server on stdin and stdout */
export const stdioEcho: readonly string[] = [echoServerFile, "stdio"];

export async function startEchoServer(): Promise<EchoServer> {
  const service = await startService(process.execPath, [echoServerFile, "http"], { env: {} });
  const [line] = (await once(service.stdout, "data")) as [Buffer];
  return {
    url: new URL(`http://127.0.0.1:${line.toString().trim()}/mcp`),
    [Symbol.asyncDispose]: async () => {
      await service.stop(graceMs);
    },
  };
}

/** Ours, as everyone gets it, with its calls counted. */
export function openManaged(server: McpServer): Promise<Peer> {
  return openWith(server, { metrics: new MetricsRegistry() });
}

/** Ours, without anything that endures: one attempt, no breaker, nobody told. */
export function openBare(server: HttpServer): Promise<Peer> {
  const bare = server.withRetry({ attempts: 1 }).withCircuitBreaker(false).withHealthCheck(false);
  return openWith(bare, { openTelemetry: false });
}

async function openWith(server: McpServer, options: ManagedClientOptions): Promise<Peer> {
  const client = new ManagedClient(info, options);
  await client.connect(server);
  return { call: () => client.callTool(echo), [Symbol.asyncDispose]: () => client.close() };
}

/** The SDK's client, as its documents have it, over a transport. */
export async function openSdk(transport: Transport): Promise<Peer> {
  const client = createSdkClient();
  await client.connect(transport);
  return toPeer(client);
}

export function openSdkHttp(url: URL): Promise<Peer> {
  return openSdk(new StreamableHTTPClientTransport(url));
}

/** The SDK's client on the transport and connections that ours has. */
export async function openOverOurTransport(url: URL): Promise<Peer> {
  const { options } = http(url);
  const pool = createConnectionPool({
    connectMs: 5000,
    tlsMs: 5000,
    connectionsMax: options.limits.connectionsMax,
  });
  const limits = { ...options.timeouts, answerBytesMax: options.limits.answerBytesMax };
  const fetch = createLeanFetch({ dispatcher: pool, limits, clock: hostClock });
  const closePool = (): Promise<void> => pool.destroy();
  const dialer = createHttpDialer({ url, fetch, headers: {}, mode: "streamable", closePool });
  const { client } = await dialer.dial({
    ...{ createClient: createSdkClient, prior: undefined, timeoutMs: 5000 },
    signal: new AbortController().signal,
  });
  const peer = toPeer(client);
  return {
    ...peer,
    [Symbol.asyncDispose]: async () => {
      await peer[Symbol.asyncDispose]();
      await dialer.close();
    },
  };
}

function createSdkClient(): Client {
  return new Client(info, { versionNegotiation: { mode: "auto" } });
}

function toPeer(client: Client): Peer {
  return { call: () => client.callTool(echo), [Symbol.asyncDispose]: () => client.close() };
}

/** Keeps `inFlight` calls under way until `count` were answered. */
export async function callMany({ call }: Peer, count: number, inFlight: number): Promise<void> {
  let left = count;
  const caller = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
}

/** Processor time of this process, all its threads, in `ms`. */
export async function cpuMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
