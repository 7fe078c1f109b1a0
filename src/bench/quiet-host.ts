/**
 * Waits until nothing is left of the machines that were measured before: the end of one may have its
 * template's memory hashed by a program of its own, which would slow whatever is measured next.
 */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runProgram } from "../process/run-program.ts";
import type { TemplateStore } from "../vm/templates/template-store.ts";

/** within this time an audit has taken its lock, in `ms` */
const startMs = 30;
const auditTimeoutMs = 60_000;

export async function untilQuiet(templates: TemplateStore, signal: AbortSignal): Promise<void> {
  await sleep(startMs, undefined, { signal });
  for (const { path } of await templates.list()) {
    const lock = join(path, "audit.lock");
    const isAudited = await access(lock).then(
      () => true,
      () => false,
    );
    if (!isAudited) continue;
    // whoever waits for its turn holds the first lock, whoever hashes the second
    const args = [join(path, "audit.next"), "flock", lock, "true"];
    await runProgram("flock", args, { signal, timeoutMs: auditTimeoutMs });
  }
}
