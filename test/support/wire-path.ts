/** Where a test's guest listens: a socket in its folder, or a pipe where there are none (Windows). */
import { basename, join } from "node:path";

export function wirePathIn(folder: string, name = "wire"): string {
  if (process.platform !== "win32") return join(folder, `${name}.sock`);
  return `\\\\.\\pipe\\${basename(folder)}-${name}`;
}
