/**
 * A running machine into files. Firecracker writes its whole memory while it stands still, into a file beside
 * the machine's; that is copied from there once it goes on. Every connection of vsock ends with it
 * (docs/snapshotting/snapshot-support.md of Firecracker), so the wire is another one afterwards.
 */
import { constants } from "node:fs";
import { chmod, open, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../base/clock.ts";
import { withDeadline } from "../../../base/deadline.ts";
import { toHostError } from "../../../base/host-error.ts";
import { LuminaGuardError, isLuminaGuardError, messageOf } from "../../../errors.ts";
import type { SpawnConfig, Suspension } from "../../hypervisor.ts";
import { copyMemory } from "../../memory-file.ts";
import { listSave, names } from "./calls.ts";
import type { FirecrackerProcess } from "./firecracker-process.ts";

/** the files of a saved machine */
export const savedFiles = { memory: "memory", state: "state" } as const;

/** device state of a machine; about 20 KiB and what its devices hold */
const stateBytesMax = 64 * 1024 ** 2;
/** longest that writing a machine's memory out may take, in `ms` */
export const freezeTimeoutMs = 120_000;
/** longest wait for the guest agent on the new wire, in `ms` */
const answerTimeoutMs = 30_000;

export interface SaveParts {
  readonly vmm: FirecrackerProcess;
  /** the file that Firecracker writes the memory into */
  readonly memoryPath: string;
  readonly config: Pick<SpawnConfig, "clock" | "greeter">;
}

/** Gives how long the machine stood still, in `ms`. Raises HOST_LIMIT, or VM_GONE where it could not go on. */
export async function saveMachine(
  parts: SaveParts,
  folder: string,
  signal?: AbortSignal,
): Promise<number> {
  const { stoppedAt, resume, meetAgain } = await stopSaved(parts, signal);
  const stopMs = (await resume()) - stoppedAt;
  await meetAgain();
  await collect(parts, folder, signal);
  return stopMs;
}

/** As `saveMachine`, and the machine stands still until it is told to go on. */
export async function suspendMachine(
  parts: SaveParts,
  folder: string,
  signal?: AbortSignal,
): Promise<Omit<Suspension, "key">> {
  const { stoppedAt, resume, meetAgain } = await stopSaved(parts, signal);
  const goOn = async (): Promise<void> => {
    await resume();
    await meetAgain();
  };
  try {
    await collect(parts, folder, signal);
  } catch (error) {
    await goOn();
    throw error;
  }
  return { stoppedAt, goOn };
}

/** A machine that stands still, saved. Both are on the clock of `performance.now()`. */
interface Standing {
  readonly stoppedAt: number;
  /** Lets it go on, and gives when. */
  readonly resume: () => Promise<number>;
  /** Resolves when its guest answers on the wire that was made for it. */
  readonly meetAgain: () => Promise<void>;
}

/**
 * Whoever speaks to the machine from here on does so on a connection that waits until it goes on, which it does
 * where this fails. One that was stopped is always saved before it goes on: up to 1.16.1 a mere pause leaves
 * its vsock deaf (firecracker-microvm/firecracker#6100).
 */
async function stopSaved(
  { vmm, memoryPath, config }: SaveParts,
  signal: AbortSignal | undefined,
): Promise<Standing> {
  signal?.throwIfAborted();
  const { pause, create, resume: goOn } = listSave();
  const patience = { timeoutMs: freezeTimeoutMs };
  vmm.relay.hold();
  const answers = config.greeter.reopen(vmm.wirePath);
  const resume = async (): Promise<number> => {
    vmm.relay.renew();
    await orGiveUp(vmm, "it did not go on after a save", () => vmm.api.tell([goOn], patience));
    return performance.now();
  };
  const meetAgain = (): Promise<void> =>
    orGiveUp(vmm, "its wire did not come back after a save", () =>
      untilAnswered(vmm, config.clock, answers),
    );
  const stoppedAt = performance.now();
  try {
    await vmm.api.tell([pause], patience);
    await vmm.api.tell([create], { ...patience, signal });
  } catch (error) {
    await giveRoomBack(vmm, memoryPath);
    await resume();
    await meetAgain();
    throw isNoRoom(error) ? noRoom(error) : error;
  }
  return { stoppedAt, resume, meetAgain };
}

/** What Firecracker wrote is copied out, and its room given back. */
async function collect(
  { vmm, memoryPath }: SaveParts,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const saved = join(folder, savedFiles.memory);
  try {
    const state = await readState(vmm.pathOf(names.savedState));
    await copyMemory(memoryPath, saved, { signal, findHoles: true });
    await chmod(saved, 0o600); // the other was open to the machine's user
    await writeFile(join(folder, savedFiles.state), state, { mode: 0o600 });
  } catch (error) {
    throw toHostError(error, "a machine's devices cannot be written");
  } finally {
    await giveRoomBack(vmm, memoryPath);
  }
}

/** Where the machine ended meanwhile, its folders give it back. */
async function giveRoomBack(vmm: FirecrackerProcess, memoryPath: string): Promise<void> {
  await truncate(memoryPath).catch(() => undefined);
  await rm(vmm.pathOf(names.savedState), { force: true }).catch(() => undefined);
}

async function untilAnswered(
  vmm: Pick<FirecrackerProcess, "exited">,
  clock: Clock | undefined,
  answers: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const ended = vmm.exited.then(({ reason }) => {
    throw gone(reason);
  });
  const work = Promise.race([answers(over.signal), ended]);
  try {
    await withDeadline(work, { timeoutMs: answerTimeoutMs, what: "the machine's answer", clock });
  } finally {
    over.abort();
    ended.catch(() => undefined); // an end after the answer is told by `exited`
  }
}

/** A machine that nobody can reach any more is of no use. */
async function orGiveUp(
  vmm: Pick<FirecrackerProcess, "giveUp">,
  what: string,
  step: () => Promise<void>,
): Promise<void> {
  try {
    await step();
  } catch (cause) {
    if (isLuminaGuardError(cause, "VM_GONE")) throw cause;
    const reason = `${what}: ${messageOf(cause)}`;
    await vmm.giveUp(reason);
    throw gone(reason, cause);
  }
}

function gone(reason: string, cause?: unknown): LuminaGuardError {
  return new LuminaGuardError("VM_GONE", `the machine ended: ${reason}`, {
    hint: "luminaguard vm restore  takes it back to its last snapshot",
    cause,
  });
}

/** What Firecracker says of a full disk ends with the words of errno 28. */
function isNoRoom(error: unknown): error is LuminaGuardError {
  return isLuminaGuardError(error, "HYPERVISOR_REFUSED") && /No space left/.test(error.message);
}

function noRoom(cause: LuminaGuardError): LuminaGuardError {
  return new LuminaGuardError("HOST_LIMIT", `a machine cannot be saved: ${cause.message}`, {
    hint: "make room with: luminaguard vm snapshot rm, luminaguard cache prune",
    cause,
  });
}

/**
 * The devices as Firecracker wrote them, in a folder that a machine which broke out could write into: what is
 * no plain file there is not read.
 */
export async function readState(path: string): Promise<Buffer> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new LuminaGuardError("WIRE_BROKEN", "the device state is no file");
    if (found.size > stateBytesMax) {
      throw new LuminaGuardError("WIRE_LIMIT", `the device state has ${found.size} bytes`);
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}
