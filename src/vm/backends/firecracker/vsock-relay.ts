/**
 * Makes a machine's vsock look like any machine's wire: a socket that takes connections at once, and
 * whose bytes are answered when the guest is up. Firecracker wants the guest's port said first on each
 * connection and closes it while nobody listens there (docs/vsock.md of Firecracker), so each client's
 * connection is held, unread, until the guest took it.
 *
 * A relay, and not a word that every client says: clients stay what they are for every backend, and what
 * waits for the guest to come up is in one place. Bytes pass through this process once more for it.
 *
 * A snapshot resets vsock: in the guest every connection ends when the machine goes on, and Firecracker does
 * not tell the host's ends (docs/snapshotting/snapshot-support.md, "Vsock device reset"). So they are ended here.
 */
import { once } from "node:events";
import { chmod } from "node:fs/promises";
import net from "node:net";
import { setTimeout } from "node:timers/promises";
import { createDeferred } from "../../../base/deferred.ts";
import type { Deferred } from "../../../base/deferred.ts";

export interface VsockRelay {
  /** Connections that are made from now on wait for `renew`. */
  readonly hold: () => void;
  /** Ends the connections that were there before `hold`, and lets those go on that were made since. */
  readonly renew: () => void;
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
  let before: readonly net.Socket[] = [];
  let held: Deferred<undefined> | undefined;
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (client) => {
    open.add(client);
    client.on("error", () => undefined); // closed with its other half, below
    client.once("close", () => open.delete(client));
    const through = held?.promise ?? Promise.resolve();
    void through.then(() => join(client, options, over.signal));
  });
  server.maxConnections = connectionsMax;
  server.listen(options.wirePath);
  await once(server, "listening");
  await chmod(options.wirePath, 0o600);
  return {
    hold: () => {
      before = [...open];
      held = createDeferred();
    },
    renew: () => {
      for (const client of before) client.destroy();
      before = [];
      held?.resolve(undefined);
      held = undefined;
    },
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
