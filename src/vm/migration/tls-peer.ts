/**
 * TLS 1.3 between two hosts that know each other by their keys alone: each shows a certificate that it made
 * itself, and neither says a word before it saw the other's fingerprint.
 */
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { withDeadline } from "../../base/deadline.ts";
import { LuminaGuardError } from "../../errors.ts";
import { fingerprintOf } from "./key-pair.ts";
import type { HostKey } from "./key-pair.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

const connectTimeoutMs = 10_000;
const keepAliveMs = 10_000;

/** HOST:PORT, with an IPv6 address in brackets. Raises USAGE. */
export function parseAddress(text: string): Address {
  const found = /^(?:\[([0-9a-fA-F:.%]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  const host = found?.[1] ?? found?.[2];
  if (host !== undefined && port <= 65_535) return { host, port };
  throw new LuminaGuardError("USAGE", `"${text}" is no address`, {
    hint: "use HOST:PORT, such as 192.0.2.7:7400",
  });
}

export function renderAddress({ host, port }: Address): string {
  return `${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** Raises PEER_UNTRUSTED when the other's key is not the pinned one, MIGRATION_FAILED, TIMEOUT. */
export async function dialPeer(
  { host, port }: Address,
  pin: string,
  own: HostKey,
  signal?: AbortSignal,
): Promise<tls.TLSSocket> {
  const socket = tls.connect({
    ...{ host, port, key: own.key, cert: own.cert },
    minVersion: "TLSv1.3",
    rejectUnauthorized: false, // nobody signed it: its key is looked at below
    checkServerIdentity: () => undefined,
  });
  try {
    const what = `connecting to ${renderAddress({ host, port })}`;
    await withDeadline(once(socket, "secureConnect"), {
      timeoutMs: connectTimeoutMs,
      what,
      signal,
    });
    requirePin(socket, pin);
  } catch (error) {
    socket.destroy();
    if (error instanceof LuminaGuardError) throw error;
    const why = `${renderAddress({ host, port })} cannot be reached: ${(error as Error).message}`;
    throw new LuminaGuardError("MIGRATION_FAILED", why, {
      hint: "is it there? luminaguard vm receive --listen ADDRESS",
      cause: error,
    });
  }
  prepare(socket);
  return socket;
}

function requirePin(socket: tls.TLSSocket, pin: string): void {
  const shown = peerFingerprint(socket);
  if (shown === pin) return;
  throw new LuminaGuardError(
    "PEER_UNTRUSTED",
    `the other host has another key: ${shown ?? "none"}, and not ${pin}`,
    { hint: "compare it with what luminaguard vm receive prints there" },
  );
}

/** 64 hex digits; undefined when it showed no certificate. */
export function peerFingerprint(socket: tls.TLSSocket): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : fingerprintOf(certificate);
}

/** Calls it with each connection that showed a key of its own. */
export async function listenForPeers(
  { host, port }: Address,
  own: HostKey,
  onPeer: (socket: tls.TLSSocket, fingerprint: string) => void,
): Promise<{ readonly address: Address; readonly close: () => void }> {
  const server = tls.createServer({
    ...{ key: own.key, cert: own.cert },
    minVersion: "TLSv1.3",
    requestCert: true,
    rejectUnauthorized: false, // nobody signed it: its key is looked at by whoever takes it
    handshakeTimeout: connectTimeoutMs,
  });
  server.maxConnections = connectionsMax;
  server.on("tlsClientError", () => undefined);
  server.on("secureConnection", (socket) => {
    socket.on("error", () => undefined);
    const fingerprint = peerFingerprint(socket);
    if (fingerprint === undefined) {
      socket.destroy();
      return;
    }
    prepare(socket);
    onPeer(socket, fingerprint);
  });
  server.listen(port, host);
  await once(server, "listening").catch((cause: unknown) => {
    const why = `cannot listen on ${renderAddress({ host, port })}: ${(cause as Error).message}`;
    throw new LuminaGuardError("HOST_LIMIT", why, { hint: "choose another port", cause });
  });
  const { port: bound } = server.address() as net.AddressInfo;
  return { address: { host, port: bound }, close: () => server.close() };
}

const connectionsMax = 16;

function prepare(socket: tls.TLSSocket): void {
  socket.setNoDelay(true); // the last messages are short, and the machine stands still meanwhile
  socket.setKeepAlive(true, keepAliveMs);
}
