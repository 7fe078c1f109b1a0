/**
 * The moves of an apply, each made once and each undone from what is found on disk, so that undoing works
 * after a crash at any point and may itself be cut short and begun again. A file counts as put by us when
 * it is the very file (same inode) that waits in `new/`, or when that one is gone and the content is ours;
 * what a person wrote in the meantime is kept under another name and never removed.
 */
import {
  chmod,
  link,
  mkdir,
  readdir,
  readlink,
  rename,
  rmdir,
  symlink,
  unlink,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ApplyJournal, ApplyStep } from "./apply-journal.ts";
import { isSameState, type ChangeState } from "./change-set.ts";
import { errnoOf } from "../base/host-error.ts";
import { checkFolders, lookAt, readHostState } from "./host-state.ts";

/** Called before everything that is written, with what it is; tests make it throw. */
export type ApplyProbe = (what: string) => void;

/** The host changed between the plan and the move. */
export class MovedMeanwhileError extends Error {
  override readonly name = "MovedMeanwhileError";
  readonly path: string;

  constructor(path: string) {
    super(`${path} changed while it was being replaced`);
    this.path = path;
  }
}

export interface StepContext {
  readonly journal: ApplyJournal;
  readonly probe: ApplyProbe;
}

/** `expected` is what must have been at a path that is set aside. */
export async function makeStep(
  step: ApplyStep,
  context: StepContext,
  expected: ChangeState | null,
): Promise<void> {
  const { root } = context.journal;
  if ((await checkFolders(root, step.path)) !== undefined) throw new MovedMeanwhileError(step.path);
  const full = join(root, step.path);
  try {
    context.probe(`${step.kind} ${step.path}`);
    switch (step.kind) {
      case "set aside":
        await rename(full, slotOf(context.journal, "old", step.slot));
        await checkAside(step, context.journal, expected);
        return;
      case "remove folder":
        await rmdir(full);
        return;
      case "make folder":
        await mkdir(full);
        return;
      case "put link":
        await symlink(step.target, full);
        return;
      case "put file":
        await putFile(slotOf(context.journal, "new", step.slot), full, context.probe);
    }
  } catch (error) {
    // the name was taken, emptied or filled by somebody else
    const isRace = ["EEXIST", "ENOENT", "ENOTEMPTY"].includes(errnoOf(error) ?? "");
    throw isRace ? new MovedMeanwhileError(step.path) : error;
  }
}

/** What was moved away is what a person was shown; else somebody wrote to it a moment ago. */
async function checkAside(
  step: ApplyStep & { kind: "set aside" },
  { root, folder }: ApplyJournal,
  expected: ChangeState | null,
): Promise<void> {
  const found = await readHostState(root, `${folder}/old/${step.slot}`);
  const isExpected =
    found.kind !== "absent" && found.kind !== "blocked" && isSameState(found, expected);
  if (!isExpected) throw new MovedMeanwhileError(step.path);
}

/** Never onto something: a hard link fails where there is a file, a rename would replace it. */
async function putFile(staged: string, full: string, probe: ApplyProbe): Promise<void> {
  try {
    probe(`link ${full}`);
    await link(staged, full);
  } catch (error) {
    if (!hasNoLinks(errnoOf(error))) throw error;
    if ((await lookAt(full)) !== undefined) throw new MovedMeanwhileError(full);
    await rename(staged, full);
  }
}

/** File systems without hard links say so in several ways. */
function hasNoLinks(code: string | undefined): boolean {
  return ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL"].includes(code ?? "");
}

/** Undoes one step if it was made; gives the name under which somebody else's work was kept, if any. */
export async function undoStep(step: ApplyStep, context: StepContext): Promise<string | undefined> {
  const { journal } = context;
  if (step.kind === "set aside") return await putBack(step, context);
  // without its folder it was not made, or somebody has removed it with the folder
  if ((await checkFolders(journal.root, step.path)) !== undefined) return undefined;
  context.probe(`undo ${step.kind} ${step.path}`);
  const full = join(journal.root, step.path);
  switch (step.kind) {
    case "remove folder":
      await makeAgain(full, step.mode);
      return undefined;
    case "make folder":
      await removeMade(full);
      return undefined;
    case "put link":
      // a name that is no link, or another one, is not ours
      if ((await readlink(full).catch(() => undefined)) === step.target) await unlink(full);
      return undefined;
    case "put file":
      return await takeBack(step, journal);
  }
}

/** The old file to its place; beside it when somebody has put another one there. */
async function putBack(
  step: ApplyStep & { kind: "set aside" },
  { journal, probe }: StepContext,
): Promise<string | undefined> {
  const { root, id } = journal;
  const old = slotOf(journal, "old", step.slot);
  if ((await lookAt(old)) === undefined) return undefined;
  const parent = await checkFolders(root, step.path);
  if (parent?.kind === "blocked") throw new MovedMeanwhileError(step.path);
  probe(`undo ${step.kind} ${step.path}`);
  if (parent !== undefined) await mkdir(dirname(join(root, step.path)), { recursive: true });
  const isFree = (await lookAt(join(root, step.path))) === undefined;
  const name = isFree ? step.path : `${step.path}.before-${id}`;
  await rename(old, join(root, name));
  return isFree ? undefined : name;
}

async function makeAgain(full: string, mode: number): Promise<void> {
  if ((await lookAt(full)) !== undefined) return;
  await mkdir(full);
  await chmod(full, mode);
}

async function removeMade(full: string): Promise<void> {
  // never made, or somebody has put something into it, which stays
  const names = await readdir(full).catch((): string[] => [""]);
  if (names.length === 0) await rmdir(full);
}

async function takeBack(
  step: ApplyStep & { kind: "put file" },
  journal: ApplyJournal,
): Promise<string | undefined> {
  const full = join(journal.root, step.path);
  const here = await lookAt(full);
  if (here === undefined || (await isOldInPlace(step.path, journal))) return undefined;
  const staged = await lookAt(slotOf(journal, "new", step.slot));
  const isStagedFile = staged !== undefined && staged.ino === here.ino && staged.dev === here.dev;
  if (staged !== undefined && !isStagedFile) return undefined;
  const state = await readHostState(journal.root, step.path);
  if (state.kind !== "file") return undefined;
  if (state.sha256 === step.sha256) {
    await unlink(full);
    return undefined;
  }
  // the file is the one we put there, and somebody has edited it since
  const name = `${step.path}.edited-${journal.id}`;
  await rename(full, join(journal.root, name));
  return name;
}

/** Whether the file that stood there was never set aside, or is back already. */
async function isOldInPlace(path: string, journal: ApplyJournal): Promise<boolean> {
  const aside = journal.steps.find((step) => step.kind === "set aside" && step.path === path);
  if (aside?.kind !== "set aside") return false;
  return (await lookAt(slotOf(journal, "old", aside.slot))) === undefined;
}

function slotOf(journal: ApplyJournal, side: "new" | "old", slot: string): string {
  return join(journal.root, journal.folder, side, slot);
}
