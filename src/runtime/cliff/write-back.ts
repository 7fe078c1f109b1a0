/** What a run changed, on its way over the cliff: the envelope that asks, and the write that it allows. */
import { ulid } from "ulid";
import * as v from "valibot";
import type { Cliff } from "../../approvals/cliff.ts";
import type { ActionEnvelope, EnvelopeDraft, Taint } from "../../approvals/envelope.ts";
import type { JsonObject } from "../../approvals/json.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { ApplyResult } from "../../workspace/apply.ts";
import { changesSchema } from "../../workspace/change-set-schema.ts";
import type { Change, ChangeSet } from "../../workspace/change-set.ts";
import type { ChangeDesk } from "./change-desk.ts";

/** Names one run in the record, and in rules that hold for one. */
export function createRunId(): string {
  return ulid();
}

export const writeBackTool = "workspace.write-back";

/** The run that made the changes, as far as it is still known. */
export interface WriteBackOrigin {
  /** id of the run, for the record and for rules that name one */
  readonly run: string;
  readonly machine: string | null;
  /** how the command ended; null when a kept change set is brought back */
  readonly exitCode: number | null;
  readonly timedOut: boolean;
}

/**
 * The person's own command asked for it, on files of their own folder. Without a network no words from
 * outside had a part in the asking, so it is not tainted.
 */
function taintOf({ hadNetwork }: ChangeSet): Taint {
  return { tainted: hadNetwork, sources: hadNetwork ? ["the machine's network card"] : [] };
}

/** makes every card of the machine's changes a red one */
const networkFlag = "the machine had a network card";

export function draftWriteBack(set: ChangeSet, origin: WriteBackOrigin): EnvelopeDraft {
  const { id, root, command, changes } = set;
  const { run, machine, exitCode, timedOut } = origin;
  const networkFlags = set.hadNetwork ? [networkFlag] : [];
  const count = (...kinds: readonly Change["kind"][]): number => {
    return changes.filter(({ kind }) => kinds.includes(kind)).length;
  };
  const operands = changes.flatMap(({ path, after }) =>
    after?.kind === "file" ? [{ name: path, sha256: after.sha256, size: after.size }] : [],
  );
  const args = {
    ...{ changeSet: id, root, command, changes },
    removedFolders: foldersLeft(set),
    ...(exitCode !== null && { exitCode }),
    ...(timedOut && { timedOut }),
    ...(machine !== null && { machine }),
  };
  return {
    // its machine is gone by now, so there is nothing left to freeze
    ...{ who: "run", run, tool: writeBackTool, operands, taint: taintOf(set) },
    // a change is plain data, as JSON has it
    args: args as unknown as JsonObject,
    effects: [
      {
        kind: "file-write-back",
        root,
        added: count("added"),
        modified: count("modified", "mode", "replaced"),
        deleted: count("deleted"),
        flags: [...new Set([...changes.flatMap(({ flags }) => flags), ...networkFlags])].sort(),
      },
    ],
  };
}

/** The removed folders that one of these changes takes something out of. */
function foldersLeft({ removedFolders, changes }: ChangeSet): readonly string[] {
  const left = new Set<string>();
  for (const { path, after } of changes) {
    if (after !== null) continue;
    for (let cut = path.lastIndexOf("/"); cut > 0; cut = path.lastIndexOf("/", cut - 1)) {
      left.add(path.slice(0, cut));
    }
  }
  return removedFolders.filter((folder) => left.has(folder));
}

/** The run that an envelope was made for. */
export function originOf({ run, args }: ActionEnvelope): WriteBackOrigin {
  const { exitCode, timedOut, machine } = args;
  return {
    run,
    machine: typeof machine === "string" ? machine : null,
    exitCode: typeof exitCode === "number" ? exitCode : null,
    timedOut: timedOut === true,
  };
}

export interface WriteBack {
  /** id under which the contents are kept */
  readonly changeSet: string;
  /** the folder they go to */
  readonly root: string;
  readonly changes: readonly Change[];
  /** folders that go once they are empty */
  readonly removedFolders: readonly string[];
}

const argsSchema: v.GenericSchema<unknown, WriteBack> = v.object({
  changeSet: v.string(),
  root: v.string(),
  changes: changesSchema,
  removedFolders: v.optional(v.array(v.string()), []),
});

/** The changes that an envelope shows. Raises ENVELOPE_INVALID when it is of another kind. */
export function readWriteBack({ tool, args }: ActionEnvelope): WriteBack {
  const read = v.safeParse(argsSchema, args);
  if (tool === writeBackTool && read.success) return read.output;
  throw new LuminaGuardError("ENVELOPE_INVALID", "this approval is not about files", {
    hint: "only files can be brought back; ask again for anything else",
  });
}

/** The folder that is written to, where it is about one; its own policy has a say. */
export function rootOf(envelope: ActionEnvelope): string | undefined {
  return envelope.tool === writeBackTool ? readWriteBack(envelope).root : undefined;
}

/** Writes what the approved envelope shows, once. Raises what `execute` and `apply` raise. */
export function executeWriteBack(
  cliff: Cliff,
  desk: ChangeDesk,
  approval: string,
): Promise<ApplyResult> {
  return cliff.execute(approval, (envelope) => {
    const { changeSet, ...shown } = readWriteBack(envelope);
    return desk.apply(changeSet, { kind: "approved", ...shown });
  });
}
