/**
 * Makes a machine's vsock look like any machine's wire: a socket that takes connections at once, and
 * whose bytes are answered when the guest is up. Firecracker wants the guest's port said first on each
 * connection and closes it while nobody listens there (docs/vsock.md of Firecracker), so each client's
 * connection is held, unread, until the guest took it.
 *
 * A relay, and not a word that every client says: clients stay what they are for every backend, and what
 * waits for the guest to come up is in one place. Bytes pass through this process once more for it.
 */
import { once } from "node:events";
import { chmod } from "node:fs/promises";
import net from "node:net";
import { setTimeout } from "node:timers/promises";

export interface VsockRelay {
  /** Ends every connection and listens no more. */
  readonly close: () => void;
}

export interface RelayOptions {
  /** where clients connect; made here, for this user alone */
  readonly wirePath: string;
  /** where the hypervisor takes connections to the guest */
  readonly vsockPath: string;
  /** what the guest agent listens on */
  readonly guestPort: number;
}

/** pause between two tries to reach the guest, in `ms` */
const retryMs = 5;
/** longest wait for the hypervisor's word on one try, in `ms` */
const answerTimeoutMs = 5_000;
/** "OK", the host's port, which has ten digits at most, and the line's end */
const answerBytesMax = 16;
const connectionsMax = 64;

/** Listens at once. Raises what listening raises. */
export async function relayVsock(options: RelayOptions): Promise<VsockRelay> {
  const over = new AbortController();
  const open = new Set<net.Socket>();
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (client) => {
    open.add(client);
    client.on("error", () => undefined); // closed with its other half, below
    client.once("close", () => open.delete(client));
    void join(client, options, over.signal);
  });
  server.maxConnections = connectionsMax;
  server.listen(options.wirePath);
  await once(server, "listening");
  await chmod(options.wirePath, 0o600);
  return {
    close: () => {
      over.abort();
      for (const client of open) client.destroy();
      server.close();
    },
  };
}

async function join(client: net.Socket, options: RelayOptions, signal: AbortSignal): Promise<void> {
  for (;;) {
    if (signal.aborted || client.destroyed) return;
    const guest = await reachGuest(options);
    if (guest !== undefined) {
      couple(client, guest);
      return;
    }
    await setTimeout(retryMs, undefined, { ref: false });
  }
}

function couple(client: net.Socket, guest: net.Socket): void {
  if (client.destroyed) {
    guest.destroy();
    return;
  }
  guest.on("error", () => client.destroy());
  client.once("close", () => guest.destroy());
  guest.once("close", () => client.destroy());
  guest.pipe(client);
  client.pipe(guest);
}

/** A connection that the guest took; `undefined` while it takes none. */
async function reachGuest(options: RelayOptions): Promise<net.Socket | undefined> {
  const guest = net.connect({ path: options.vsockPath, allowHalfOpen: true });
  guest.setTimeout(answerTimeoutMs, () => guest.destroy());
  const answered = new Promise<boolean>((resolve) => {
    let line = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      line = Buffer.concat([line, chunk]);
      const end = line.indexOf(0x0a);
      if (end < 0 && line.length <= answerBytesMax) return;
      guest.off("data", onData);
      guest.pause();
      const taken = end >= 0 && /^OK \d{1,10}$/.test(line.subarray(0, end).toString("latin1"));
      if (taken && end + 1 < line.length) guest.unshift(line.subarray(end + 1));
      resolve(taken);
    };
    guest.on("data", onData);
    guest.once("error", () => resolve(false));
    guest.once("end", () => resolve(false));
    guest.once("close", () => resolve(false));
  });
  guest.write(`CONNECT ${options.guestPort}\n`);
  if (await answered) {
    guest.setTimeout(0);
    return guest;
  }
  guest.destroy();
  return undefined;
}
