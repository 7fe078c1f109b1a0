/** The host's processor, as a machine sees it whose code runs on it. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { cpus } from "node:os";

/** Model and features: what a saved machine relies on. */
export async function describeHostProcessor(): Promise<string> {
  const cpuinfo = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const flags = /^(flags|Features)\s*:.*$/m.exec(cpuinfo)?.[0] ?? "";
  const digest = createHash("sha256").update(flags).digest("hex").slice(0, 12);
  return `${cpus()[0]?.model.trim() ?? process.arch}, features ${digest}`;
}
