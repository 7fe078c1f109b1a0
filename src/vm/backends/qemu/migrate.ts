/**
 * A machine to another QEMU while it runs, and from one. The whole of it goes through a socket: its memory
 * file, which a save leaves where it is, as well. It is sent again what it writes meanwhile, and stops only
 * when the rest fits into the downtime that it may have.
 * QEMU docs/devel/migration, qapi/migration.json.
 */
import { once } from "node:events";
import { chmod, rm } from "node:fs/promises";
import net from "node:net";
import { pipeline } from "node:stream/promises";
import * as v from "valibot";
import { createDeferred } from "../../../base/deferred.ts";
import { LuminaGuardError } from "../../../errors.ts";
import type { ArrivingStream, Departure } from "../../hypervisor.ts";
import { qemuFds } from "./qemu-args.ts";
import type { QemuProcess } from "./qemu-process.ts";
import type { QmpClient } from "./qmp.ts";

/** how long the last part may take to send, as QEMU expects it; in `ms` */
const downtimeMs = 50;
/** faster than any link it goes over: whoever reads sets the pace; in `bytes/s` */
const bandwidth = 4 * 1024 ** 3;
const connectTimeoutMs = 10_000;
/** between two looks at whether what came is loaded, in `ms` */
const lookMs = 2;

const statusSchema = v.object({ status: v.string() });

/** Raises PROCESS_FAILED when QEMU cannot send this machine. */
export async function departMachine(
  { control, statePath }: Pick<QemuProcess, "control" | "statePath">,
  signal?: AbortSignal,
): Promise<Departure> {
  signal?.throwIfAborted();
  await control.execute("migrate-set-capabilities", {
    capabilities: [
      { capability: "x-ignore-shared", state: false },
      { capability: "events", state: true },
    ],
  });
  const limits = { "downtime-limit": downtimeMs, "max-bandwidth": bandwidth };
  await control.execute("migrate-set-parameters", limits);
  const stopped = watchDeparture(control);
  stopped.promise.catch(() => undefined); // awaited by the caller once it reads
  const server = net.createServer();
  try {
    server.listen(statePath);
    await once(server, "listening");
    await chmod(statePath, 0o666); // the folder around it is the machine's own
    const connected = once(server, "connection", { signal: AbortSignal.timeout(connectTimeoutMs) });
    connected.catch(() => undefined);
    await control.execute("migrate", { uri: `unix:${statePath}` });
    const [bytes] = (await connected) as [net.Socket];
    bytes.on("error", () => undefined); // the departure's status says how it went
    return { bytes, stopped: stopped.promise, goOn: () => goOn(control) };
  } finally {
    server.close();
    await rm(statePath, { force: true });
  }
}

function watchDeparture(control: QmpClient): {
  readonly promise: Promise<number>;
} {
  const stopped = createDeferred<number>();
  let stoppedAt = performance.now();
  const forget = control.onEvent((event, data) => {
    if (event === "STOP") stoppedAt = performance.now();
    const migration = v.safeParse(statusSchema, data);
    if (event !== "MIGRATION" || !migration.success) return;
    const { status } = migration.output;
    if (status === "completed") stopped.resolve(stoppedAt);
    if (status === "failed" || status === "cancelled") {
      stopped.reject(new LuminaGuardError("MIGRATION_FAILED", `sending the machine ${status}`));
    }
  });
  control.failed.catch(stopped.reject);
  void stopped.promise.then(forget, forget);
  return stopped;
}

/** One that was being sent is no longer sent; QEMU lets it go on by itself where that failed. */
async function goOn(control: QmpClient): Promise<void> {
  const settled = createDeferred<undefined>();
  const isOver = (data: unknown): boolean => {
    const found = v.safeParse(v.object({ status: v.optional(v.string()) }), data);
    const status = found.success ? (found.output.status ?? "none") : "none";
    return ["completed", "failed", "cancelled", "none"].includes(status);
  };
  const forget = control.onEvent((event, data) => {
    if (event === "MIGRATION" && isOver(data)) settled.resolve(undefined);
  });
  try {
    if (!isOver(await control.execute("query-migrate"))) {
      await control.execute("migrate_cancel");
      if (!isOver(await control.execute("query-migrate"))) await settled.promise;
    }
    await control.execute("cont");
  } finally {
    forget();
  }
}

/** The machine runs when this resolves. Whatever it raises, the caller ends the process. */
export async function loadMachine(
  { control, incoming, exited }: QemuProcess,
  arriving: ArrivingStream,
  signal?: AbortSignal,
): Promise<void> {
  if (incoming === undefined) throw new Error("it was started to wait for a machine");
  const gone = exited.then(({ reason }) => {
    throw new LuminaGuardError("MIGRATION_FAILED", `the machine did not arrive: ${reason}`);
  });
  gone.catch(() => undefined); // raced below
  const aborted = createDeferred<never>();
  aborted.promise.catch(() => undefined);
  signal?.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
  const orGone = <T>(work: Promise<T>): Promise<T> => Promise.race([work, gone, aborted.promise]);
  await control.execute("migrate-set-capabilities", {
    capabilities: [{ capability: "x-ignore-shared", state: false }],
  });
  const bytes = await orGone(arriving.open());
  await control.execute("migrate-incoming", { uri: `fd:${qemuFds.state}` });
  await orGone(pipeline(bytes, incoming).catch(allowEarlyClose));
  await orGone(loaded(control, signal));
  await orGone(arriving.settle(gone));
  await control.execute("cont");
  arriving.onRunning();
}

/**
 * QEMU closes as soon as it has the last word that it needs, which may be before the end of the stream was
 * sent. Where the stream was cut short it cannot load and ends, which is seen next.
 */
function allowEarlyClose(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
}

/** QEMU ends when it cannot load what came. */
async function loaded(control: QmpClient, signal: AbortSignal | undefined): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const { status } = v.parse(statusSchema, await control.execute("query-status"));
    if (status !== "inmigrate") return;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}
