/** Paths of archives, brought into one form. */
import { invalidImage, quote } from "./invalid.ts";

/** Linux's PATH_MAX and NAME_MAX */
const pathBytesMax = 4096;
const nameBytesMax = 255;

/** The names from the root to what a path means; `..` and what Linux could not hold are refused. */
export function splitPath(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw invalidImage(`${quote(path)} leaves the root`);
  const isLong = Buffer.byteLength(path) > pathBytesMax;
  if (isLong || parts.some((part) => Buffer.byteLength(part) > nameBytesMax))
    throw invalidImage(`${quote(path)} is longer than a path may be`);
  return parts;
}
