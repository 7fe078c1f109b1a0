/**
 * One QEMU process: its control channel, and the device state it is handed where it is a clone.
 * Booting and cloning differ only in the arguments and that state.
 */
import { chmod } from "node:fs/promises";
import type { Duplex } from "node:stream";
import type { Clock } from "../../../base/clock.ts";
import type { ConfinementTools } from "../../walls/confinement.ts";
import type { VmExit, WirePlace } from "../../hypervisor.ts";
import type { MachineFolder } from "../../register/machine-folder.ts";
import type { MemoryFilling } from "../../memory-file.ts";
import type { VmSpec } from "../../spec.ts";
import { startVmm } from "../../vmm-process.ts";
import { thaw } from "./freeze.ts";
import { meetWire } from "./meet-wire.ts";
import { qemuFds } from "./qemu-args.ts";
import { QmpClient } from "./qmp.ts";

export interface QemuProcess {
  readonly pid: number;
  readonly control: QmpClient;
  /** where the guest is spoken to */
  readonly wire: WirePlace;
  /** where device state goes out, in the machine's own folder */
  readonly statePath: string;
  /** settles when the process is gone and the machine's folder removed */
  readonly exited: Promise<VmExit>;
  /** where a machine that comes from elsewhere goes in */
  readonly incoming: Duplex | undefined;
  /** what the machine last wrote on its console, for error messages */
  readonly consoleTail: () => string;
  /** Asks QEMU to end and waits until it has. */
  readonly quit: () => Promise<void>;
  readonly kill: () => Promise<void>;
}

/** A frozen machine beside its memory file, which is mapped and not handed over. */
export interface IncomingLoad {
  /** its device state */
  readonly state: Buffer;
  /** what is still to be copied into its memory file
   * @default nothing */
  readonly memory?: MemoryFilling | undefined;
  /** it was spoken to when it was frozen
   * @default false */
  readonly hadHost?: boolean | undefined;
}

export interface QemuStart {
  readonly binary: string;
  readonly args: readonly string[];
  readonly spec: VmSpec;
  readonly folder: MachineFolder;
  readonly tools: ConfinementTools;
  readonly readOnly: readonly string[];
  readonly readWrite: readonly string[];
  readonly devices: readonly string[];
  /** the frozen machine that this one becomes */
  readonly load?: IncomingLoad | undefined;
  /** it waits for a machine that comes from elsewhere @default false */
  readonly awaitsMachine?: boolean | undefined;
  /** what waits for the hypervisor are counted on */
  readonly clock?: Clock | undefined;
}

const setUpTimeoutMs = 10_000;

/** Starts QEMU and waits until its sockets listen. On failure nothing is left behind. */
export async function startQemu(start: QemuStart, signal?: AbortSignal): Promise<QemuProcess> {
  const { folder, load, clock } = start;
  const isIncoming = load !== undefined || start.awaitsMachine === true;
  const hadHost = load?.hadHost ?? start.awaitsMachine === true;
  const vmm = await startVmm({
    ...start,
    command: [start.binary, ...start.args],
    channels: isIncoming ? 4 : 3,
    fds: qemuFds,
    heldUntil: load?.memory?.begin,
    startsEarly: isIncoming, // it waits for its state, so it may load meanwhile
  });
  const [, controlChannel, , stateChannel] = vmm.channels;
  if (controlChannel === undefined) throw new Error("three channels were asked for");
  const control = new QmpClient(controlChannel, clock);
  const wirePath = `${folder.path}/wire.sock`;
  const wire = await vmm.orFail(async (died) => {
    const set = Promise.race([control.ready(setUpTimeoutMs, signal), died]);
    // root made it for the machine's own user: nobody else may speak on the wire
    const open = set.then(() => chmod(wirePath, 0o600));
    const met = open.then(() =>
      hadHost ? meetWire(wirePath, control, { signal, clock }) : wirePath,
    );
    const thawing = thawInto(stateChannel, control, load, hadHost ? met : undefined);
    thawing.catch(() => undefined); // awaited below, once the hypervisor is ready
    const place = await met;
    await thawing;
    return place;
  });
  const quit = async (): Promise<void> => {
    vmm.expectEnd();
    // it may be gone before it answers: its end is what counts
    control.execute("quit").catch(() => undefined);
    await vmm.exited;
  };
  const { pid, exited, consoleTail, kill } = vmm;
  const statePath = `${folder.path}/state.sock`;
  const base = { pid, control, wire, statePath, exited, consoleTail, quit, kill };
  return { ...base, incoming: stateChannel };
}

async function thawInto(
  channel: Duplex | undefined,
  control: QmpClient,
  load: IncomingLoad | undefined,
  met: Promise<unknown> | undefined,
): Promise<void> {
  if (channel === undefined || load === undefined) return;
  await Promise.all([load.memory?.finish(), met]);
  await thaw(control, channel, load.state);
}
