/**
 * Finds the names of busybox's applets in its binary, where they stand as one table of
 * NUL-terminated names that begins with `[` and `[[` (busybox `applets/applet_tables.c`). The
 * binary is not run, so a foreign architecture's works the same. The table gives what
 * `busybox --list` prints.
 */
import { LuminaGuardError } from "../errors.ts";

const tableStart = Buffer.from("\0[\0[[\0", "latin1");
/** more names than any busybox has; a table that is longer was not the table */
const namesMax = 1000;
const appletName = /^[a-z0-9[][a-z0-9_.[+-]*$/;

export function findApplets(busybox: Buffer): string[] {
  const start = busybox.indexOf(tableStart);
  const end = busybox.indexOf("\0\0", start + 1, "latin1");
  if (start === -1 || end === -1) throw unreadable("has no table of applets");
  const names = busybox.toString("latin1", start + 1, end).split("\0");
  if (
    names.length > namesMax ||
    !names.includes("sh") ||
    !names.every((name) => appletName.test(name))
  ) {
    throw unreadable("has a table of applets that is not understood");
  }
  return names;
}

function unreadable(what: string): LuminaGuardError {
  return new LuminaGuardError("IMAGE_BUILD_FAILED", `busybox ${what}`, {
    hint: "use Debian's busybox-static package",
  });
}
