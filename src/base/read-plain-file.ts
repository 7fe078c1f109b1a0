/** Reads a small text file that somebody else may have put there. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { messageOf } from "../errors.ts";
import { errnoOf } from "./host-error.ts";

export interface ReadPlainFileOptions {
  /** largest file, in `bytes` */
  readonly bytesMax: number;
  /** whether a link in the file's place is followed */
  readonly followsLink: boolean;
  /** the error for a file that cannot be read; `why` as in "PATH is a link" */
  readonly refuse: (why: string, cause?: unknown) => Error;
}

/** The file's text, or undefined where there is none. Nothing but a plain file is read, and no pipe waited for. */
export async function readPlainFile(
  path: string,
  { bytesMax, followsLink, refuse }: ReadPlainFileOptions,
): Promise<string | undefined> {
  let file: FileHandle;
  try {
    const flags = followsLink ? 0 : constants.O_NOFOLLOW;
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw refuse(errnoOf(error) === "ELOOP" ? "is a link" : messageOf(error), error);
  }
  try {
    if (!(await file.stat()).isFile()) throw refuse("is no plain file");
    const buffer = Buffer.alloc(bytesMax + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length <= bytesMax; length += read) {
      read = (await file.read(buffer, length, buffer.length - length)).bytesRead;
    }
    if (length > bytesMax) throw refuse(`is larger than ${bytesMax / 1024} KiB`);
    return decode(buffer.subarray(0, length), refuse);
  } finally {
    await file.close();
  }
}

function decode(bytes: Uint8Array, refuse: ReadPlainFileOptions["refuse"]): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw refuse("is not text in UTF-8", error);
  }
}
