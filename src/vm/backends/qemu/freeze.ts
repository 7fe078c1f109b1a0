/**
 * Freezes a running machine and thaws it in another process: device state leaves by a socket in the
 * machine's own folder and comes back by a descriptor, while its memory stays in the file it already
 * lives in.
 * QEMU docs/system/vm-templating.
 */
import { once } from "node:events";
import { chmod, rm } from "node:fs/promises";
import net from "node:net";
import type { Duplex } from "node:stream";
import * as v from "valibot";
import type { Clock } from "../../../base/clock.ts";
import { withDeadline } from "../../../base/deadline.ts";
import { createDeferred } from "../../../base/deferred.ts";
import { LuminaGuardError } from "../../../errors.ts";
import { qemuFds } from "./qemu-args.ts";
import type { QmpClient } from "./qmp.ts";

/** device state of a machine: measured 53 KB for microvm, 290 KB for q35 */
const stateBytesMax = 64 * 1024 * 1024;
const timeoutMs = 30_000;

const statusSchema = v.object({ status: v.string() });

/** The device state. The machine stays stopped; the caller ends it. */
export async function freeze(
  control: QmpClient,
  statePath: string,
  signal?: AbortSignal,
  clock?: Clock,
): Promise<Buffer> {
  // not stopped first: QEMU stops it to save it, and a clone of a running machine runs by itself
  await ignoreShared(control);
  const receiver = await receiveState(statePath);
  try {
    await control.execute("migrate", { uri: `unix:${statePath}` });
    const what = "freezing the machine";
    const state = await withDeadline(receiver.state, { timeoutMs, what, signal, clock });
    const { status } = v.parse(statusSchema, await control.execute("query-migrate"));
    if (status === "completed") return state;
    throw new LuminaGuardError("VM_BOOT_FAILED", `freezing the machine ended as ${status}`);
  } finally {
    receiver.close();
    await rm(statePath, { force: true });
  }
}

/**
 * Hands a frozen machine's device state over; the machine runs when it was taken. All is said at once:
 * a hypervisor that is still starting finds it waiting.
 * @param channel what the hypervisor has as its descriptor for state
 */
export async function thaw(control: QmpClient, channel: Duplex, state: Buffer): Promise<void> {
  const uri = `fd:${qemuFds.state}`;
  const asked = [ignoreShared(control), control.execute("migrate-incoming", { uri })];
  channel.end(state);
  await Promise.all(asked);
}

/** Memory that lives in a file stays there: only device state goes over the socket. */
async function ignoreShared(control: QmpClient): Promise<void> {
  const capabilities = [{ capability: "x-ignore-shared", state: true }];
  await control.execute("migrate-set-capabilities", { capabilities });
}

interface Receiver {
  readonly state: Promise<Buffer>;
  readonly close: () => void;
}

async function receiveState(path: string): Promise<Receiver> {
  const received = createDeferred<Buffer>();
  received.promise.catch(() => undefined); // awaited by the caller after it asked for the state
  const chunks: Buffer[] = [];
  let bytes = 0;
  const server = net.createServer((socket) => {
    socket.on("data", (chunk) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > stateBytesMax) {
        socket.destroy();
        received.reject(new LuminaGuardError("WIRE_LIMIT", "the device state has no end"));
      }
    });
    socket.once("end", () => received.resolve(Buffer.concat(chunks)));
    socket.once("error", received.reject);
  });
  server.listen(path);
  await once(server, "listening");
  // the folder around it is the machine's own: this opens it to the machine's user and nobody else
  await chmod(path, 0o666);
  return { state: received.promise, close: () => server.close() };
}
