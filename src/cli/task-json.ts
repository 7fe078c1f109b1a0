/** A task as one JSON document. */
import { ByteCollector } from "../base/byte-collector.ts";
import type { TaskFace, TaskResult } from "../runtime/run-task.ts";
import type { PromptCount } from "../runtime/cliff/cliff-desk.ts";
import type { Decision } from "./decide-changes.ts";
import { printJson } from "./io.ts";
import type { CliIo } from "./io.ts";

/** most output kept of each stream, in `bytes`; the rest is counted */
const outputBytesMax = 16 * 1024 * 1024;

export interface Collected {
  readonly face: TaskFace;
  readonly text: (source: "stdout" | "stderr") => string;
  /** bytes that were not kept */
  readonly cut: () => number;
}

export function createCollectingFace(): Collected {
  const kept = {
    stdout: new ByteCollector(outputBytesMax),
    stderr: new ByteCollector(outputBytesMax),
  };
  let cut = 0;
  return {
    face: {
      onOutput: ({ source, data }) => {
        cut += kept[source].push(data);
      },
    },
    text: (source) => kept[source].bytes().toString("utf8"),
    cut: () => cut,
  };
}

export function printTaskJson(
  io: CliIo,
  result: TaskResult,
  decision: Decision,
  approvals: PromptCount,
  collected: Collected,
): void {
  const { spawn, changeSet } = result;
  printJson(io, {
    exitCode: result.exitCode,
    timedOut: result.timedOut,
    failure: result.failure ?? null,
    durationMs: Math.round(result.durationMs),
    spawn: { kind: spawn.kind, ms: spawn.ms },
    backend: spawn.backend,
    accelerator: spawn.accelerator,
    network: spawn.hasNetwork,
    stdout: collected.text("stdout"),
    stderr: collected.text("stderr"),
    outputCutBytes: collected.cut(),
    changes: (changeSet?.changes ?? []).map(({ path, kind, after, before, flags, conflict }) => {
      const state = after ?? before;
      return { path, kind, bytes: state?.kind === "file" ? state.size : 0, flags, conflict };
    }),
    refused: result.refused,
    applied: decision.applied,
    changeSet: decision.changeSet ?? null,
    approvals,
  });
}
