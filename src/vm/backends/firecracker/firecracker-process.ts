/**
 * One Firecracker process behind walls: its working folder laid out, started, its API answering, and its
 * vsock relayed to the machine's wire. Booting and cloning differ in the files and in what it is told.
 */
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Clock } from "../../../base/clock.ts";
import type { ConfinementTools } from "../../walls/confinement.ts";
import type { VmExit } from "../../hypervisor.ts";
import type { MachineFolder } from "../../register/machine-folder.ts";
import type { VmSpec } from "../../spec.ts";
import { addressSpaceOf, startVmm } from "../../vmm-process.ts";
import type { VmmProcess } from "../../vmm-process.ts";
import { FirecrackerApi } from "./api-client.ts";
import { listObserving, names } from "./calls.ts";
import type { ApiCall, PlacedFile } from "./calls.ts";
import { jailCommand } from "./jail.ts";
import { relayVsock } from "./vsock-relay.ts";
import type { VsockRelay } from "./vsock-relay.ts";

export interface FirecrackerStart {
  readonly binary: string;
  readonly spec: VmSpec;
  readonly folder: MachineFolder;
  readonly tools: ConfinementTools;
  readonly files: readonly PlacedFile[];
  readonly kvmPath: string;
  /** Firecracker's jailer, where its walls are to be the machine's; otherwise they are any machine's */
  readonly jailer?: string | undefined;
  /** device state of a frozen machine, which this one becomes */
  readonly state?: Buffer | undefined;
  /** what it is told once it answers; with the last one the machine runs */
  readonly calls: readonly ApiCall[];
  /** what waits for the hypervisor are counted on */
  readonly clock?: Clock | undefined;
}

export interface FirecrackerProcess {
  readonly pid: number;
  readonly api: FirecrackerApi;
  /** where the machine's wire is */
  readonly wirePath: string;
  /** what carries it */
  readonly relay: VsockRelay;
  /** a file of its working folder, while it runs */
  readonly pathOf: (name: string) => string;
  /** settles when the process is gone and the machine's folder removed */
  readonly exited: Promise<VmExit>;
  readonly consoleTail: () => string;
  readonly kill: () => Promise<void>;
  /** Ends a machine that is of no use any more; `exited` gives the reason. */
  readonly giveUp: (reason: string) => Promise<void>;
}

/** what the guest agent listens on: guest/internal/link */
const guestPort = 1024;
const setUpTimeoutMs = 10_000;
/** longest that the start of a machine or the load of a snapshot may take, in `ms` */
const callTimeoutMs = 30_000;
/** descriptors for whoever builds the walls: see `startChild` */
const fds = { info: 3, gate: 4 } as const;
/** written files beside the machine's memory: its log, its counters, its devices */
const besideMemoryBytesMax = 64 * 1024 ** 2;

/** Starts Firecracker and tells it what to run. On failure nothing is left behind. */
export async function startFirecracker(
  start: FirecrackerStart,
  signal?: AbortSignal,
): Promise<FirecrackerProcess> {
  const { folder, clock } = start;
  const { vmm, workFolder } = await launch(start);
  const pathOf = (name: string): string => join(workFolder, name);
  const api = new FirecrackerApi(pathOf(names.api), clock);
  const wirePath = join(folder.path, "wire.sock");
  const relay = await vmm.orFail(async (died) => {
    await Promise.race([api.ready(setUpTimeoutMs, signal), died]);
    const options = { timeoutMs: callTimeoutMs, signal };
    await Promise.race([api.tell([...listObserving(), ...start.calls], options), died]);
    return relayVsock({ wirePath, vsockPath: pathOf(names.vsock), guestPort });
  });
  void vmm.exited.then(relay.close);
  const { pid, exited, consoleTail, kill, giveUp } = vmm;
  return { pid, api, wirePath, relay, pathOf, exited, consoleTail, kill, giveUp };
}

interface LaunchedVmm {
  readonly vmm: VmmProcess;
  /** the process's working folder, as this process reaches it */
  readonly workFolder: string;
}

async function launch(start: FirecrackerStart): Promise<LaunchedVmm> {
  const { folder, jailer } = start;
  try {
    if (jailer !== undefined && folder.uid !== undefined) {
      const vmm = await launchInJail(start, jailer, folder.uid);
      // the jail is in namespaces of the machine's own: its processes' root leads there
      return { vmm, workFolder: `/proc/${vmm.pid}/root` };
    }
    await layOut(start);
  } catch (error) {
    await folder.remove();
    throw error;
  }
  const { binary, files } = start;
  const pathsOf = (writable: boolean): string[] =>
    files.filter((file) => file.writable === writable).map(({ path }) => path);
  const vmm = await startVmm({
    ...start,
    command: [binary, "--api-sock", join(folder.path, names.api), "--id", folder.id],
    readOnly: [binary, ...pathsOf(false)],
    readWrite: pathsOf(true),
    devices: [start.kvmPath],
    workFolder: folder.path,
    channels: 2,
    fds,
    startsEarly: true, // it runs no guest before it is told to
    fileBytesMax: fileBytesOf(start.spec),
  });
  return { vmm, workFolder: folder.path };
}

async function launchInJail(
  start: FirecrackerStart,
  jailer: string,
  uid: number,
): Promise<VmmProcess> {
  const { folder, spec, binary, state } = start;
  const base = join(folder.path, "jail");
  await mkdir(base);
  const statePath = join(folder.path, names.state);
  if (state !== undefined) await writeOpen(statePath, state, 0o644);
  const handed =
    state === undefined ? [] : [{ name: names.state, path: statePath, writable: false }];
  const command = jailCommand({
    ...{ jailer, binary, base, uid, id: folder.id },
    files: [...start.files, ...handed],
    addressSpaceBytesMax: addressSpaceOf(spec),
    fileBytesMax: fileBytesOf(spec),
  });
  return startVmm({
    ...start,
    ...{ command, startsEarly: true },
    ownWalls: { programs: [basename(jailer), basename(binary)] },
    ...{ readOnly: [], readWrite: [], devices: [], channels: 0 },
  });
}

/** The machine's memory, when it is saved, is the largest file it writes. */
function fileBytesOf({ memoryMib }: VmSpec): number {
  return memoryMib * 1024 ** 2 + besideMemoryBytesMax;
}

/** Each file under its name; the log and the counters are there before they are written. */
async function layOut({ folder, files, state }: FirecrackerStart): Promise<void> {
  for (const { name, path } of files) await symlink(path, join(folder.path, name));
  const written = [names.log, names.metrics];
  // the folder is the machine's own: this opens them to the machine's user and nobody else
  for (const name of written) await writeOpen(join(folder.path, name), "", 0o666);
  if (state !== undefined) await writeOpen(join(folder.path, names.state), state, 0o644);
}

async function writeOpen(path: string, content: string | Buffer, mode: number): Promise<void> {
  await writeFile(path, content);
  await chmod(path, mode);
}
