/** The person's own editor on the person's terminal, with one file that nobody else can read. */
import { constants } from "node:fs";
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toHostError } from "../base/host-error.ts";
import { makePrivateFolder } from "../base/private-folder.ts";
import { LuminaGuardError } from "../errors.ts";
import { ownedName, removeAbandoned } from "./owned-name.ts";
import { runOnTerminal } from "./run-on-terminal.ts";
import type { TerminalProgram } from "./run-on-terminal.ts";

export interface EditorRun {
  /** where the file is while it is edited; made when it is not there */
  readonly folder: string;
  /** what the file is called: editors go by it */
  readonly name: string;
  readonly bytesMax: number;
  readonly signal?: AbortSignal | undefined;
}

const prefix = "edit-";
const hint = "set VISUAL or EDITOR to an editor that waits until you are done";

/**
 * What the person saved; undefined when the signal ended the editor. The file is gone by then. Raises
 * PROCESS_FAILED when the editor fails or leaves no file of text, HOST_LIMIT when it cannot be written.
 */
export async function runEditor(
  editor: TerminalProgram,
  text: string,
  { folder, name, bytesMax, signal }: EditorRun,
): Promise<string | undefined> {
  await makePrivateFolder(folder);
  const own = join(folder, ownedName(prefix));
  try {
    await mkdir(own, { mode: 0o700 });
    const path = join(own, name);
    await writeFile(path, text, { mode: 0o600, flag: "wx" });
    const command = `${editor.command} "$1"`;
    const exitCode = await runOnTerminal({ ...editor, command }, { words: [path], hint, signal });
    if (signal?.aborted === true) return undefined;
    if (exitCode === 0) return await readText(path, bytesMax);
    throw failed(`the editor ended with ${exitCode ?? "a signal"}`);
  } catch (error) {
    throw toHostError(error, "the file that was edited cannot be kept");
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

/** Removes what processes that are gone were editing. */
export function removeAbandonedEdits(folder: string): Promise<void> {
  return removeAbandoned(folder, [prefix]);
}

async function readText(path: string, bytesMax: number): Promise<string> {
  // whatever stands there now is the editor's: a pipe must not hold us up
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch(() => {
    throw failed("the editor left no file");
  });
  try {
    const found = await file.stat();
    if (!found.isFile()) throw failed("the editor left no file");
    const bytes = Buffer.alloc(bytesMax + 1);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead > bytesMax) throw failed(`what was saved is larger than ${bytesMax} bytes`);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, bytesRead));
  } catch (error) {
    throw error instanceof TypeError ? failed("what was saved is not UTF-8") : error;
  } finally {
    await file.close();
  }
}

function failed(message: string): LuminaGuardError {
  return new LuminaGuardError("PROCESS_FAILED", message, { hint });
}
