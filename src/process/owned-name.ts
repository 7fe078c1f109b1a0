/**
 * Names that say which process made a file or folder, so that what a dead one left can be told from
 * what a living one is working on: `<prefix><pid>-<start ticks>-<random>`.
 */
import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { identifySelf, isRunning } from "./process-identity.ts";

export function ownedName(prefix: string): string {
  const { pid, startTicks } = identifySelf();
  return `${prefix}${pid}-${startTicks ?? "x"}-${randomBytes(6).toString("hex")}`;
}

/** Removes what dead processes left in the folder under names with these prefixes, as far as it can. */
export async function removeAbandoned(folder: string, prefixes: readonly string[]): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const prefix = prefixes.find((each) => name.startsWith(each));
    if (prefix === undefined) continue;
    const [pid = "", ticks = ""] = name.slice(prefix.length).split("-");
    const owner = { pid: Number(pid), startTicks: ticks === "x" ? null : Number(ticks) };
    if (await isRunning(owner)) continue;
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined); // a later start tries again
  }
}
