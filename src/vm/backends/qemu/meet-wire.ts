/**
 * The wire of a machine that had a host when it was saved, connected before the machine goes on. It then never
 * learns that it was without a host. It would be told in two messages, that the port was closed and opened again,
 * which its driver takes in later than what the new host says: the connection would be taken for the old one's
 * and ended. QEMU hw/char/virtio-serial-bus.c; Linux drivers/char/virtio_console.c.
 */
import { once } from "node:events";
import net from "node:net";
import { setTimeout } from "node:timers/promises";
import * as v from "valibot";
import type { Clock } from "../../../base/clock.ts";
import { withDeadline } from "../../../base/deadline.ts";
import { LuminaGuardError } from "../../../errors.ts";
import type { WirePlace } from "../../hypervisor.ts";
import type { QmpClient } from "./qmp.ts";

const timeoutMs = 5_000;
/** between two looks whether the hypervisor took the connection, in `ms` */
const lookMs = 1;

/** qapi/char.json; a socket that nobody is connected to is named so: chardev/char-socket.c */
const chardevsSchema = v.array(v.object({ label: v.string(), filename: v.string() }));
const withoutPeer = "disconnected:";

/** Where the guest is spoken to: the first time on the connection that is made here, then on new ones. */
export async function meetWire(
  path: string,
  control: Pick<QmpClient, "execute">,
  {
    signal,
    clock,
  }: { readonly signal?: AbortSignal | undefined; readonly clock?: Clock | undefined } = {},
): Promise<WirePlace> {
  const socket = net.connect(path);
  socket.on("error", () => undefined); // whoever speaks on it hears of its end
  const what = "the hypervisor's end of the wire";
  try {
    await withDeadline(taken(socket, control), { timeoutMs, what, signal, clock });
  } catch (error) {
    socket.destroy();
    throw error;
  }
  let unused: net.Socket | undefined = socket;
  return () => {
    const place = unused ?? net.connect(path);
    unused = undefined;
    return place;
  };
}

async function taken(socket: net.Socket, control: Pick<QmpClient, "execute">): Promise<void> {
  await once(socket, "connect");
  while (!socket.destroyed) {
    const chardevs = v.parse(chardevsSchema, await control.execute("query-chardev"));
    const wire = chardevs.find(({ label }) => label === "wire");
    if (wire !== undefined && !wire.filename.startsWith(withoutPeer)) return;
    await setTimeout(lookMs);
  }
  throw new LuminaGuardError("WIRE_BROKEN", "the hypervisor closed the wire");
}
