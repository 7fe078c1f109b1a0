/**
 * One Firecracker process behind walls: its working folder laid out, started, its API answering, and its
 * vsock relayed to the machine's wire. Booting and cloning differ in the files and in what it is told.
 */
import { chmod, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../base/clock.ts";
import type { ConfinementTools } from "../../confinement.ts";
import type { VmExit } from "../../hypervisor.ts";
import type { MachineFolder } from "../../machine-folder.ts";
import type { VmSpec } from "../../spec.ts";
import { startVmm } from "../../vmm-process.ts";
import type { VmmProcess } from "../../vmm-process.ts";
import { FirecrackerApi } from "./api-client.ts";
import { listObserving, names } from "./calls.ts";
import type { ApiCall } from "./calls.ts";
import { relayVsock } from "./vsock-relay.ts";

/** A file of the host under a name in the working folder. */
export interface PlacedFile {
  readonly name: string;
  readonly path: string;
  readonly writable: boolean;
}

export interface FirecrackerStart {
  readonly binary: string;
  readonly spec: VmSpec;
  readonly folder: MachineFolder;
  readonly tools: ConfinementTools;
  readonly files: readonly PlacedFile[];
  readonly kvmPath: string;
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
  /** settles when the process is gone and the machine's folder removed */
  readonly exited: Promise<VmExit>;
  readonly consoleTail: () => string;
  readonly kill: () => Promise<void>;
}

/** what the guest agent listens on: guest/internal/link */
const guestPort = 1024;
const setUpTimeoutMs = 10_000;
/** longest that the start of a machine or the load of a snapshot may take, in `ms` */
const callTimeoutMs = 30_000;
/** descriptors for whoever builds the walls: see `startChild` */
const fds = { info: 3, gate: 4 } as const;
/** written files beside the machine's memory: its log and its counters */
const besideMemoryBytesMax = 64 * 1024 ** 2;

/** Starts Firecracker and tells it what to run. On failure nothing is left behind. */
export async function startFirecracker(
  start: FirecrackerStart,
  signal?: AbortSignal,
): Promise<FirecrackerProcess> {
  const { folder, clock } = start;
  const vmm = await launch(start);
  const api = new FirecrackerApi(join(folder.path, names.api), clock);
  const wirePath = join(folder.path, "wire.sock");
  await vmm.orFail(async (died) => {
    await Promise.race([api.ready(setUpTimeoutMs, signal), died]);
    const options = { timeoutMs: callTimeoutMs, signal };
    await Promise.race([api.tell([...listObserving(), ...start.calls], options), died]);
    const vsockPath = join(folder.path, names.vsock);
    const relay = await relayVsock({ wirePath, vsockPath, guestPort });
    void vmm.exited.then(relay.close);
  });
  const { pid, exited, consoleTail, kill } = vmm;
  return { pid, api, wirePath, exited, consoleTail, kill };
}

async function launch(start: FirecrackerStart): Promise<VmmProcess> {
  const { folder, files, binary } = start;
  try {
    await layOut(start);
  } catch (error) {
    await folder.remove();
    throw error;
  }
  const pathsOf = (writable: boolean): string[] =>
    files.filter((file) => file.writable === writable).map(({ path }) => path);
  return startVmm({
    ...start,
    command: [binary, "--api-sock", join(folder.path, names.api), "--id", folder.id],
    readOnly: [binary, ...pathsOf(false)],
    readWrite: pathsOf(true),
    devices: [start.kvmPath],
    workFolder: folder.path,
    channels: 2,
    fds,
    startsEarly: true, // it runs no guest before it is told to
    fileBytesMax: start.spec.memoryMib * 1024 ** 2 + besideMemoryBytesMax,
  });
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
