/** What a process costs in memory. */
import { readFile } from "node:fs/promises";
import { LuminaGuardError } from "../errors.ts";

/** Memory of a process, shared pages divided by those who share them, in `MiB`. */
export async function readPss(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "latin1");
  const kib = /^Pss:\s+(\d+) kB$/m.exec(text)?.[1];
  if (kib !== undefined) return Number(kib) / 1024;
  throw new LuminaGuardError("PROCESS_FAILED", `the kernel does not say the memory of ${pid}`);
}
