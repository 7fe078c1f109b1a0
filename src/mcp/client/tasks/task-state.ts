/** What a server says of a task (extension `io.modelcontextprotocol/tasks` of 2026-07-28). */
import * as v from "valibot";

/** as it is declared among a client's capabilities */
export const tasksExtension = "io.modelcontextprotocol/tasks";

interface Told {
  readonly taskId: string;
  readonly statusMessage?: string | undefined;
  /** how long the server keeps it, from when it was made, in ms; null is for ever */
  readonly ttlMs?: number | null | undefined;
  readonly pollIntervalMs?: number | undefined;
}

type Json = Record<string, unknown>;

/** An answer to tasks/get, and, as far as it goes, the one that makes a task. */
export type TaskState = Told &
  (
    | { readonly status: "working" | "cancelled" }
    | { readonly status: "input_required"; readonly inputRequests: Json }
    | { readonly status: "completed"; readonly result?: Json | undefined }
    | { readonly status: "failed"; readonly error?: TaskError | undefined }
  );

interface TaskError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

const told = {
  taskId: v.pipe(v.string(), v.minLength(1)),
  statusMessage: v.optional(v.string()),
  ttlMs: v.optional(v.nullable(v.pipe(v.number(), v.minValue(0)))),
  pollIntervalMs: v.optional(v.number()),
};
const json = v.record(v.string(), v.unknown());
const error = v.object({ code: v.number(), message: v.string(), data: v.optional(v.unknown()) });

export const taskSchema: v.GenericSchema<unknown, TaskState> = v.variant("status", [
  v.object({ ...told, status: v.picklist(["working", "cancelled"]) }),
  v.object({ ...told, status: v.literal("input_required"), inputRequests: v.optional(json, {}) }),
  v.object({ ...told, status: v.literal("completed"), result: v.optional(json) }),
  v.object({ ...told, status: v.literal("failed"), error: v.optional(error) }),
]);

/** an acknowledgement says nothing */
export const acknowledged: v.GenericSchema<unknown, object> = v.object({});

const pollMsMin = 100;
const pollMsMax = 60_000;
const pollMsUnsaid = 1000;

/** When to ask again: as the server wishes, within reason. */
export function pollMsOf({ pollIntervalMs = pollMsUnsaid }: TaskState): number {
  return Math.min(Math.max(pollIntervalMs, pollMsMin), pollMsMax);
}
