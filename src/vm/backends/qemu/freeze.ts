/**
 * Freezes a running machine: stopped, its device state taken out over a private channel while its
 * memory stays in the file it already lives in. QEMU docs/system/vm-templating.
 */
import type { Duplex } from "node:stream";
import * as v from "valibot";
import { withDeadline } from "../../../base/deadline.ts";
import { LuminaGuardError } from "../../../errors.ts";
import { qemuFds } from "./qemu-args.ts";
import type { QemuProcess } from "./qemu-process.ts";

/** device state of a machine: measured 53 KB for microvm, 290 KB for q35 */
const stateBytesMax = 64 * 1024 * 1024;
const timeoutMs = 30_000;

/** The device state. The machine stays stopped; the caller ends it. */
export async function freeze(vmm: QemuProcess, signal?: AbortSignal): Promise<Buffer> {
  await vmm.control.execute("stop");
  const state = readState(vmm.state);
  state.catch(() => undefined); // awaited below, after the commands that make it come
  await vmm.control.execute("migrate", { uri: `fd:${qemuFds.state}` });
  const bytes = await withDeadline(state, { timeoutMs, what: "freezing the machine", signal });
  const { status } = v.parse(statusSchema, await vmm.control.execute("query-migrate"));
  if (status === "completed") return bytes;
  throw new LuminaGuardError("VM_BOOT_FAILED", `freezing the machine ended as ${status}`);
}

const statusSchema = v.object({ status: v.string() });

async function readState(channel: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of channel as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > stateBytesMax)
      throw new LuminaGuardError("WIRE_LIMIT", "the device state has no end");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
