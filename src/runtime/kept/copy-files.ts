/**
 * Files into a machine that outlives a command, and one file at a time out of it: to a place the person
 * named that is free, never executable. Whole trees come back over the cliff.
 */
import { lstat, open, readFile, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { errnoOf, toHostError } from "../../base/host-error.ts";
import { LuminaGuardError } from "../../errors.ts";
import { packWorkspace } from "../../workspace/pack.ts";
import { scanWorkspace } from "../../workspace/scan.ts";
import type { WorkspaceFacts } from "../workspace-exchange.ts";
import type { KeptMachine } from "./kept-machine.ts";

interface SignalOption {
  readonly signal?: AbortSignal | undefined;
}

export interface Place {
  /** name or id; absent: here */
  readonly machine: string | undefined;
  readonly path: string;
}

/** `MACHINE:PATH`, or a path here; one that has a colon in it begins with "./" or "/". */
export function parsePlace(text: string): Place {
  const found = /^([A-Za-z0-9][A-Za-z0-9._-]*):(.+)$/s.exec(text);
  return { machine: found?.[1], path: found?.[2] ?? text };
}

/** A folder goes in as a workspace does: what is ignored or looks like a credential stays here. */
export async function copyIn(
  machine: KeptMachine,
  from: string,
  to: string,
  { signal }: SignalOption = {},
): Promise<WorkspaceFacts> {
  const facts = await lstat(from).catch((error: unknown) => {
    throw notThere(from, error);
  });
  if (facts.isFile()) {
    const content = await readFile(from, { signal }).catch((error: unknown) => {
      throw toHostError(error, `${from} cannot be read`);
    });
    const path = to.endsWith("/") ? `${to}${basename(from)}` : to;
    await machine.files.write(path, content, { mode: facts.mode & 0o777, signal });
    return { files: 1, bytes: content.length, leftOut: [] };
  }
  if (!facts.isDirectory()) {
    throw new LuminaGuardError("USAGE", `${from} is neither a file nor a folder`);
  }
  const scan = await scanWorkspace(resolve(from), { signal });
  const pack = packWorkspace(scan, { signal });
  await machine.files.unpack(to, Readable.from(pack.chunks, { objectMode: false }), { signal });
  return { files: scan.files, bytes: scan.bytes, leftOut: [...scan.leftOut, ...pack.lost()] };
}

/** How many bytes it has. Raises USAGE when there is something at `to`. */
export async function copyOut(
  machine: KeptMachine,
  from: string,
  to: string,
  { signal }: SignalOption = {},
): Promise<number> {
  const isFolder = await lstat(to).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
  const path = isFolder ? join(to, basename(from)) : to;
  const content = await machine.files.read(from, { signal });
  let file;
  try {
    file = await open(path, "wx", 0o644);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw toHostError(error, `${path} cannot be written`);
    throw new LuminaGuardError("USAGE", `there is something at ${path} already`, {
      hint: "name a path that is free; luminaguard vm apply  changes files of a workspace",
    });
  }
  try {
    await file.writeFile(content, { signal });
  } catch (error) {
    await rm(path, { force: true });
    throw toHostError(error, `${path} cannot be written`);
  } finally {
    await file.close();
  }
  return content.length;
}

function notThere(path: string, error: unknown): unknown {
  if (errnoOf(error) !== "ENOENT") return toHostError(error, `${path} cannot be read`);
  return new LuminaGuardError("USAGE", `there is no ${path}`, {
    hint: `what is in ${dirname(resolve(path))}?`,
  });
}
