/**
 * A machine's way into a file, as its supervisor goes it. It stands still from the moment it is saved; it
 * is given up, on disk, before the file can be taken, and then waits here until a person says which of the
 * two goes on.
 */
import { stepSender } from "../../vm/migration/handover.ts";
import { writeJournal } from "../../vm/migration/journal.ts";
import { MoveFile } from "../../vm/migration/move-file.ts";
import { beginMove, breakOff, inDoubt, readBaselineText } from "./move-out.ts";
import type { MoveOutParts } from "./move-out.ts";
import type { Filed } from "./move-words.ts";
import { shipFiles } from "./ship.ts";
import type { Standing } from "./ship.ts";

/**
 * Resolves when all of it is in the file, on the disk. Raises USAGE where there is such a file, HOST_LIMIT
 * and MIGRATION_FAILED, the machine going on here; or MIGRATION_IN_DOUBT, the machine standing still.
 */
export async function moveToFile(parts: MoveOutParts, path: string): Promise<Filed> {
  const { folder, record } = parts;
  const wish = { to: path, pin: null, code: null, form: "files" } as const;
  const { hello, journal } = await beginMove(parts, wish);
  const file = await MoveFile.create(path);
  let standing: Standing | undefined;
  try {
    await writeJournal(folder, journal);
    await file.send(hello);
    await file.send({ kind: "baseline", baseline: await readBaselineText(folder) });
    const { bytes } = await shipFiles(file, parts, (now) => (standing = now));
    await file.send({ kind: "end", bytes });
    await file.sync();
  } catch (error) {
    await file.discard();
    throw await breakOff(folder, standing, error);
  }
  try {
    await writeJournal(folder, { ...journal, phase: stepSender(journal.phase, "give", null) });
    await file.finish(journal.id, journal.token);
  } catch (error) {
    await file.discard(); // the token did not get into it whole, and nobody has it
    throw await breakOff(folder, standing, error);
  }
  try {
    await file.sync();
    return { kind: "filed", to: path, bytes: file.bytes };
  } catch (error) {
    throw inDoubt(record.name, error);
  } finally {
    await file.close();
  }
}
