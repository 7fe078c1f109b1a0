/**
 * One of the clients that are compared, in a process of its own: neither pays for the garbage of the
 * other. It is told on its stdin what to measure, a line each, and answers with a number.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { LuminaGuardError } from "../../errors.ts";
import { http } from "../../mcp/client/http/http-server.ts";
import { stdio } from "../../mcp/client/stdio/stdio-dialer.ts";
import { startService } from "../../process/start-service.ts";
import { timed } from "../interleave.ts";
import * as peers from "./peers.ts";

/** this file, as a program: its arguments are the kind of client and the server's address */
const peerProcessFile: string = fileURLToPath(import.meta.url);
const graceMs = 2000;
const command = process.execPath;
const args = [...peers.stdioEcho];

/**
 * `managed` is ours with everything on, `bare` without what endures, `plain` the SDK's client over our
 * transport and connections, `sdk` the SDK's own.
 */
export type PeerKind = "managed" | "bare" | "plain" | "sdk" | "managed-stdio" | "sdk-stdio";

/**
 * `cpu` is processor time of the process for each call, in `µs`; `rate` calls in a second of the clock;
 * `middle` the middle one of calls made one after another, in `ms`.
 */
export type PeerMeasure = "cpu" | "rate" | "middle";

const openers: Readonly<Record<PeerKind, (url: string) => Promise<peers.Peer>>> = {
  managed: (url) => peers.openManaged(http(url)),
  bare: (url) => peers.openBare(http(url)),
  plain: (url) => peers.openOverOurTransport(new URL(url)),
  sdk: (url) => peers.openSdkHttp(new URL(url)),
  "managed-stdio": () => peers.openManaged(stdio({ command, args, env: {} })),
  "sdk-stdio": () => peers.openSdk(new StdioClientTransport({ command, args, env: {} })),
};

type Measure = (peer: peers.Peer, calls: number, inFlight: number) => Promise<number>;

const measures: Readonly<Record<PeerMeasure, Measure>> = {
  cpu: async (peer, calls, inFlight) =>
    ((await peers.cpuMs(() => peers.callMany(peer, calls, inFlight))) * 1000) / calls,
  rate: async (peer, calls, inFlight) =>
    (calls * 1000) / (await timed(() => peers.callMany(peer, calls, inFlight))),
  middle: async (peer, calls) => {
    const times: number[] = [];
    while (times.length < calls) times.push(await timed(peer.call));
    return times.sort((one, other) => one - other)[Math.floor(calls / 2)] ?? 0;
  },
};

export interface PeerProcess extends AsyncDisposable {
  readonly measure: (what: PeerMeasure, calls: number, inFlight?: number) => Promise<number>;
}

/** @param url where the server is; a client over stdio starts its own */
export async function startPeer(kind: PeerKind, url?: URL): Promise<PeerProcess> {
  const program = [peerProcessFile, kind, url?.href ?? ""];
  const service = await startService(process.execPath, program, { env: {} });
  const ended = service.exited.then(() => {
    throw new LuminaGuardError("PROCESS_FAILED", `the client ended: ${service.stderrTail()}`);
  });
  ended.catch(() => undefined);
  return {
    measure: async (what, calls, inFlight = 1) => {
      service.stdin.write(`${what} ${calls} ${inFlight}\n`);
      const [line] = (await Promise.race([once(service.stdout, "data"), ended])) as [Buffer];
      return Number(line.toString());
    },
    [Symbol.asyncDispose]: async () => {
      await service.stop(graceMs);
    },
  };
}

async function runPeer(kind: PeerKind, url: string): Promise<void> {
  await using peer = await openers[kind](url);
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, calls, inFlight] = line.split(" ");
    const measure = measures[what as PeerMeasure];
    process.stdout.write(`${await measure(peer, Number(calls), Number(inFlight))}\n`);
  }
}

if (process.argv[1] === peerProcessFile) {
  await runPeer(process.argv[2] as PeerKind, process.argv[3] ?? "");
}
