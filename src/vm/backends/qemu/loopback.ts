/**
 * The channels of a QEMU that inherits no descriptors, which is every one on Windows: this process
 * listens on the loopback interface and QEMU connects, once for each channel, by TLS with a key that
 * only the two know. Whoever else on this host connects has no key, and neither has a stranger that
 * took the port before QEMU came. When all channels are there, nothing listens any more.
 *
 * Named pipes would be QEMU's other way there. It polls them between other events, waits for a client
 * before it goes on starting, never takes a second one, and lets every user read them (chardev/char-pipe.c,
 * util/main-loop.c).
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { createServer } from "node:tls";
import type { TLSSocket } from "node:tls";
import { createDeferred } from "../../../base/deferred.ts";
import type { Deferred } from "../../../base/deferred.ts";
import { LuminaGuardError } from "../../../errors.ts";

export const loopbackNames = ["console", "control", "wire"] as const;
export type LoopbackName = (typeof loopbackNames)[number];

/** What QEMU is told. */
export interface LoopbackAddress {
  readonly port: number;
  /** private folder with the file of keys */
  readonly keyFolder: string;
}

export interface Loopback {
  readonly address: LoopbackAddress;
  /** Each rejects with VM_BOOT_FAILED when the loopback is closed before QEMU came. */
  readonly channels: Readonly<Record<LoopbackName, Promise<Duplex>>>;
  /** Ends every channel and the listener. */
  readonly close: () => void;
}

/**
 * What QEMU reads at once from a channel, in `bytes` (CHR_READ_BUF_LEN). The rest of a longer record would
 * stay in its TLS library, and the descriptor that QEMU waits on says nothing of that: seen with 7.2.
 */
const recordBytesMax = 4096;
/** the name that QEMU looks for in the folder it is given */
const keyFile = "keys.psk";
const keyBytes = 32;
/** strangers may take a few without keeping QEMU out */
const connectionsMax = 64;
const handshakeTimeoutMs = 10_000;

/** @param keyFolder private to this user; the keys are gone from it when QEMU has connected */
export async function openLoopback(keyFolder: string): Promise<Loopback> {
  const keys = new Map(loopbackNames.map((name) => [name as string, randomBytes(keyBytes)]));
  const lines = [...keys].map(([name, key]) => `${name}:${key.toString("hex")}\n`);
  await writeFile(join(keyFolder, keyFile), lines.join(""), { mode: 0o600 });
  const awaited = new Map(loopbackNames.map((name) => [name, createDeferred<Duplex>()] as const));
  for (const { promise } of awaited.values()) promise.catch(() => undefined); // whoever needs one hears of it
  const identities = new WeakMap<TLSSocket, string>();
  const open = new Set<TLSSocket>();
  const server = createServer({
    // the key is what proves who speaks, on both sides; there are no certificates
    ciphers: "ECDHE-PSK-CHACHA20-POLY1305:TLS_AES_128_GCM_SHA256",
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.2",
    handshakeTimeout: handshakeTimeoutMs,
    pskCallback: (socket, identity) => {
      identities.set(socket, identity);
      return keys.get(identity) ?? null;
    },
  });
  server.maxConnections = connectionsMax;
  server.on("tlsClientError", () => undefined); // a stranger, or QEMU's end: its exit says more
  server.on("secureConnection", (socket) => {
    const name = identities.get(socket) as LoopbackName;
    socket.on("error", () => undefined); // whoever reads the channel sees its end
    // a key is for one connection
    if (!keys.delete(name)) return void socket.destroy();
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    socket.setNoDelay(true);
    socket.setMaxSendFragment(recordBytesMax);
    awaited.get(name)?.resolve(name === "control" ? writeByBytes(socket) : socket);
    if (keys.size > 0) return;
    server.close();
    void rm(join(keyFolder, keyFile), { force: true }).catch(() => undefined); // worth nothing any more
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: { port: (server.address() as AddressInfo).port, keyFolder },
    channels: Object.fromEntries(
      [...awaited].map(([name, { promise }]) => [name, promise]),
    ) as Loopback["channels"],
    close: () => close(server, open, awaited.values()),
  };
}

/** QEMU reads its control channel a byte at a time (monitor_can_read), so each byte is a record of its own. */
function writeByBytes(socket: TLSSocket): Duplex {
  const channel = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      const writeFrom = (at: number): void => {
        if (at >= chunk.length || socket.destroyed) done();
        else socket.write(chunk.subarray(at, at + 1), () => writeFrom(at + 1));
      };
      writeFrom(0);
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (chunk) => {
    if (!channel.push(chunk)) socket.pause();
  });
  socket.once("close", () => channel.destroy());
  return channel;
}

function close(
  server: ReturnType<typeof createServer>,
  open: ReadonlySet<TLSSocket>,
  awaited: Iterable<Deferred<Duplex>>,
): void {
  server.close();
  for (const socket of open) socket.destroy();
  const error = new LuminaGuardError("VM_BOOT_FAILED", "the hypervisor ended before it connected");
  for (const { reject } of awaited) reject(error);
}
