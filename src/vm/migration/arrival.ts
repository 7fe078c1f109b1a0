/**
 * What came of a machine that was saved where it was: in its folder from its first byte until it ran here,
 * so that one whose supervisor was killed in between can go on.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { errnoOf, toHostError } from "../../base/host-error.ts";
import type { SavedMachine, SaveKey } from "../hypervisor.ts";
import { keySchema } from "./messages.ts";

const keyName = "arrival.json";

/** @param folder the machine's own */
export function arrivalFolder(folder: string): string {
  return join(folder, "arrival");
}

/** Says that all of it is there, and was found to be what was sent. */
export async function keepSaveKey(folder: string, key: SaveKey): Promise<void> {
  await writeFile(join(folder, keyName), JSON.stringify(key), { mode: 0o600, flush: true }).catch(
    (error: unknown) => {
      throw toHostError(error, "what came of the machine cannot be kept");
    },
  );
}

/** Undefined when not all of it came, or it ran already. */
export async function findArrival(folder: string): Promise<SavedMachine | undefined> {
  try {
    const key = v.parse(keySchema, JSON.parse(await readFile(join(folder, keyName), "utf8")));
    return { folder: arrivalFolder(folder), key };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw toHostError(error, "what came of the machine cannot be read");
  }
}

export async function forgetArrival(folder: string): Promise<void> {
  await rm(join(folder, keyName), { force: true });
  await rm(arrivalFolder(folder), { recursive: true, force: true });
}
