/**
 * The workspace of a machine that outlives a command: sent once, and what was sent is kept beside the
 * machine, so that any later command can say what changed.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import * as v from "valibot";
import { writeFileAtomic } from "../../base/atomic-file.ts";
import { errnoOf, toHostError } from "../../base/host-error.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { Kept } from "../../vm/kept/kept-store.ts";
import type { Baseline, BaselineEntry } from "../../workspace/baseline.ts";
import type { ChangeStore } from "../../workspace/change-store.ts";
import { packWorkspace } from "../../workspace/pack.ts";
import { receiveChanges } from "../../workspace/receive.ts";
import type { ReceivedChanges } from "../../workspace/receive.ts";
import { scanWorkspace } from "../../workspace/scan.ts";
import type { WorkspaceFacts } from "../workspace-exchange.ts";
import type { KeptMachine } from "./kept-machine.ts";

interface SignalOption {
  readonly signal?: AbortSignal | undefined;
}

/** where the folder is in the machine */
const guestFolder = "/workspace";
/** what was sent in, beside the machine and in its snapshots */
export const baselineName: string = "baseline.json";

const entrySchema: v.GenericSchema<unknown, BaselineEntry> = v.variant("kind", [
  v.object({
    kind: v.literal("file"),
    mode: v.number(),
    size: v.number(),
    sha256: v.string(),
    mtimeMs: v.number(),
  }),
  v.object({ kind: v.literal("folder"), mode: v.number() }),
  v.object({ kind: v.literal("link"), target: v.string() }),
]);
const baselineSchema = v.object({
  root: v.string(),
  entries: v.array(v.tuple([v.string(), entrySchema])),
});

/** Raises WORKSPACE_TOO_LARGE and what a transfer raises. */
export async function sendWorkspace(
  machine: KeptMachine,
  { root, include }: { readonly root: string; readonly include: readonly string[] },
  { signal }: SignalOption,
): Promise<WorkspaceFacts> {
  const scan = await scanWorkspace(root, { include, signal });
  const pack = packWorkspace(scan, { signal });
  const tar = Readable.from(pack.chunks, { objectMode: false });
  await machine.files.unpack(guestFolder, tar, { signal });
  await writeBaseline(machine.kept, pack.baseline);
  const { files, bytes, leftOut } = scan;
  return { files, bytes, leftOut: [...leftOut, ...pack.lost()] };
}

/** What the machine changed since the folder was sent, kept as a change set. The machine goes on. */
export async function takeChanges(
  machine: KeptMachine,
  { store, signal }: SignalOption & { readonly store: ChangeStore },
): Promise<ReceivedChanges> {
  const { kept } = machine;
  const baseline = await readBaseline(kept);
  const { include = [] } = kept.record.workspace ?? {};
  const { isIgnored } = await scanWorkspace(baseline.root, { include, signal });
  const tar = machine.files.pack(guestFolder, { signal });
  const command = `vm ${kept.record.name}`;
  return receiveChanges(tar, { baseline, store, command, isIgnored, signal });
}

/** Raises USAGE when the machine has no workspace. */
export async function readBaseline({ folder, record }: Kept): Promise<Baseline> {
  try {
    const text = await readFile(join(folder, baselineName), "utf8");
    const { root, entries } = v.parse(baselineSchema, JSON.parse(text));
    return { root, entries: new Map(entries) };
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw toHostError(cause, "what was sent in cannot be read");
    throw new LuminaGuardError("USAGE", `machine ${record.name} has no workspace`, {
      hint: "luminaguard vm start --workspace FOLDER  sends one; vm cp takes single files out",
      cause,
    });
  }
}

export async function writeBaseline({ folder }: Kept, { root, entries }: Baseline): Promise<void> {
  const text = JSON.stringify({ root, entries: [...entries] });
  await writeFileAtomic(join(folder, baselineName), text).catch((error: unknown) => {
    throw toHostError(error, "what was sent in cannot be written down");
  });
}
