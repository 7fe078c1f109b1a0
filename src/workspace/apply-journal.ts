/**
 * What an apply is about to do, written down before it is done, so that whoever starts next can finish or
 * undo it. Each write is atomic and flushed; `phase` is the only thing that ever changes.
 *
 *   staging ──► moving ──► done ──► (no journal)
 *      └───────────┴── undone ──────────┘
 *
 *   <state>/applies/<id>.json
 */
import { mkdir, readFile, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { ownedName, removeAbandoned } from "../process/owned-name.ts";
import { isSafeGuestPath } from "./guest-path.ts";

/** One move; `slot` is a name in the apply folder's `new/` or `old/`. */
export type ApplyStep =
  | { readonly kind: "set aside"; readonly path: string; readonly slot: string }
  | { readonly kind: "remove folder"; readonly path: string; readonly mode: number }
  | { readonly kind: "make folder"; readonly path: string }
  | {
      readonly kind: "put file";
      readonly path: string;
      readonly slot: string;
      readonly sha256: string;
    }
  | { readonly kind: "put link"; readonly path: string; readonly target: string };

export interface ApplyJournal {
  readonly version: 1;
  readonly id: string;
  readonly setId: string;
  readonly root: string;
  /** the folder below the root that holds new and old files while they are moved */
  readonly folder: string;
  readonly phase: "staging" | "moving" | "done";
  readonly steps: readonly ApplyStep[];
  /** the change set's paths that are in place once this is done */
  readonly paths: readonly string[];
}

const text = v.pipe(v.string(), v.minLength(1));
const path = v.pipe(v.string(), v.check(isSafeGuestPath));
const slot = v.pipe(v.string(), v.regex(/^\d+$/));
const schema: v.GenericSchema<unknown, ApplyJournal> = v.strictObject({
  version: v.literal(1),
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{12}$/)),
  setId: text,
  root: text,
  folder: v.pipe(v.string(), v.regex(/^\.luminaguard-apply-[0-9a-f]{12}$/)),
  phase: v.picklist(["staging", "moving", "done"]),
  steps: v.array(
    v.variant("kind", [
      v.strictObject({ kind: v.literal("set aside"), path, slot }),
      v.strictObject({ kind: v.literal("remove folder"), path, mode: v.number() }),
      v.strictObject({ kind: v.literal("make folder"), path }),
      v.strictObject({ kind: v.literal("put file"), path, slot, sha256: text }),
      v.strictObject({ kind: v.literal("put link"), path, target: text }),
    ]),
  ),
  paths: v.array(text),
});

/** a journal that is being written has a name that says whose it is */
const scratchPrefix = ".draft-";

function fileOf(stateDir: string, id: string): string {
  return join(stateDir, "applies", `${id}.json`);
}

export async function writeJournal(stateDir: string, journal: ApplyJournal): Promise<void> {
  const file = fileOf(stateDir, journal.id);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const beside = join(dirname(file), ownedName(scratchPrefix));
  await writeFileAtomic(file, JSON.stringify(journal), beside);
}

/** Not flushed: one that comes back after a power cut finds nothing left to do. */
export async function removeJournal(stateDir: string, id: string): Promise<void> {
  await rm(fileOf(stateDir, id), { force: true });
}

/** Keeps a journal that cannot be understood out of the way, for a person to look at. */
export async function putAsideJournal(stateDir: string, id: string): Promise<void> {
  const file = fileOf(stateDir, id);
  await rename(file, file.replace(/json$/, "damaged"));
}

/** The ids of all journals; those that dead processes left half written are cleared away. */
export async function listJournals(stateDir: string): Promise<readonly string[]> {
  const folder = join(stateDir, "applies");
  await removeAbandoned(folder, [scratchPrefix]);
  // before the first apply there is no folder
  const names = await readdir(folder).catch((): string[] => []);
  const journals = names.filter((name) => name.endsWith(".json"));
  return journals.map((name) => name.slice(0, -".json".length)).sort();
}

/** The journal; undefined when it is gone, `"damaged"` when it cannot be understood. */
export async function readJournal(
  stateDir: string,
  id: string,
): Promise<ApplyJournal | "damaged" | undefined> {
  const content = await readFile(fileOf(stateDir, id), "utf8").catch(() => undefined);
  if (content === undefined) return undefined;
  try {
    const result = v.safeParse(schema, JSON.parse(content));
    return result.success ? result.output : "damaged";
  } catch {
    // not even JSON: a disk that lost what it had flushed
    return "damaged";
  }
}
