/** What a saved machine and its loader have to have alike, and how a difference is told. */
import { LuminaGuardError } from "../errors.ts";
import type { SaveKey } from "./hypervisor.ts";

/** Told in this order: the first that differs explains the others. */
const parts: readonly (readonly [keyof SaveKey, string])[] = [
  ["backend", "hypervisor"],
  ["version", "version of the hypervisor"],
  ["cpu", "processor"],
  ["imageDigest", "image"],
  ["arguments", "set of hypervisor arguments"],
];

/** Raises SNAPSHOT_MISMATCH. */
export function requireSameKey(saved: SaveKey, here: SaveKey): void {
  for (const [part, what] of parts) {
    if (saved[part] === here[part]) continue;
    throw new LuminaGuardError(
      "SNAPSHOT_MISMATCH",
      `this was saved with another ${what}: ${saved[part]}, and here is ${here[part]}`,
      {
        hint: "load it where it was saved, or start a new machine",
        details: { part, saved: saved[part], here: here[part] },
      },
    );
  }
}
