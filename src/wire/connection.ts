/**
 * One HTTP/2 connection to the guest agent over the machine's byte channel. The channel may hold
 * what an earlier connection left behind, so a connection counts only when the guest's settings
 * came; until the deadline it is tried again.
 */
import http2 from "node:http2";
import net from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { callAfter, hostClock } from "../base/clock.ts";
import type { Clock } from "../base/clock.ts";
import { LuminaGuardError } from "../errors.ts";

export interface ConnectOptions {
  readonly signal?: AbortSignal | undefined;
  /** longest time for all tries in `ms`
   * @default 30_000 */
  readonly timeoutMs?: number;
  /** longest time for one try in `ms`
   * @default 60_000: one try, as a fresh machine has nothing left on its channel */
  readonly tryTimeoutMs?: number;
  /** what the tries are counted on
   * @default the host's */
  readonly clock?: Clock | undefined;
}

/** receive windows in `bytes`: what the guest may send before it is read */
const windows = { stream: 1024 * 1024, connection: 16 * 1024 * 1024 };
/** pause between two tries in `ms` */
const retryMs = 5;
const headerListBytesMax = 16 * 1024;

/** The path of a socket, or what gives a connection. */
export type WirePlace = string | (() => Duplex);

/** Opens the connection without waiting for the guest: requests made now are answered when it is up. */
export function openSession(place: WirePlace): http2.ClientHttp2Session {
  const session = http2.connect("http://guest", {
    createConnection: () => (typeof place === "string" ? net.connect(place) : place()),
    maxHeaderListPairs: 64,
    maxSessionMemory: 64,
    peerMaxConcurrentStreams: 256,
    settings: {
      enablePush: false,
      initialWindowSize: windows.stream,
      maxFrameSize: 1024 * 1024,
      maxHeaderListSize: headerListBytesMax,
    },
  });
  session.on("error", () => undefined); // every request and `close` tells of it
  session.once("connect", () => {
    // whoever gave up while it connected has destroyed it
    if (!session.destroyed) session.setLocalWindowSize(windows.connection);
  });
  return session;
}

/** A session whose guest has answered. Raises TIMEOUT, WIRE_BROKEN or the signal's reason. */
export async function connectSession(
  place: WirePlace,
  options: ConnectOptions = {},
): Promise<http2.ClientHttp2Session> {
  const { signal, timeoutMs = 30_000, tryTimeoutMs = 60_000, clock = hostClock } = options;
  const endsAt = clock.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const leftMs = endsAt - clock.now();
    if (leftMs <= 0) {
      throw new LuminaGuardError("TIMEOUT", "the guest did not answer on the wire in time");
    }
    const session = openSession(place);
    if (await settled(session, Math.min(leftMs, tryTimeoutMs), clock, signal)) return session;
    session.destroy();
    // the hypervisor takes one connection at a time and may still be busy with the last one
    await setTimeout(retryMs);
  }
}

function settled(
  session: http2.ClientHttp2Session,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (answered: boolean): void => {
      callOff();
      signal?.removeEventListener("abort", onAbort);
      resolve(answered);
    };
    const onAbort = (): void => finish(false);
    const callOff = callAfter(timeoutMs, () => finish(false), clock);
    signal?.addEventListener("abort", onAbort, { once: true });
    session.once("remoteSettings", () => finish(true));
    session.once("close", () => finish(false));
  });
}
