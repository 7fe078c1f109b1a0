/**
 * Follows a task to its end: asks how it is at the server's pace, hands on what the server asks for,
 * and gives what came of it. Whoever no longer waits says so to the server.
 */
import { ProtocolError } from "@modelcontextprotocol/client";
import type { Clock } from "../../../base/clock.ts";
import type { LuminaGuardError } from "../../../errors.ts";
import { createMcpError } from "../delivery.ts";
import { explainError } from "../explain.ts";
import { judgeFailure, waitFor } from "../retry.ts";
import { pollMsOf } from "./task-state.ts";
import type { TaskState } from "./task-state.ts";

export interface TaskPeer {
  /** Raises what the request raised. */
  readonly get: (taskId: string, signal: AbortSignal) => Promise<TaskState>;
  /** Lets the program answer what the server asks for, and sends the answers. */
  readonly answer: (
    taskId: string,
    requests: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ) => Promise<void>;
  /** Never rejects. */
  readonly cancel: (taskId: string) => void;
}

export interface FollowOptions {
  readonly peer: TaskPeer;
  /** stands still while a person is asked */
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** so many lost answers in a row are the end of it */
const lossesMax = 5;

/** The result of the call that became the task. */
export async function followTask(first: TaskState, options: FollowOptions): Promise<unknown> {
  const { peer, signal } = options;
  try {
    return await toItsEnd(first, options);
  } catch (error) {
    if (error instanceof EndedByServer) throw error.cause;
    peer.cancel(first.taskId);
    throw signal.aborted ? signal.reason : error;
  }
}

/** What the task itself ended with: there is nothing left to cancel. */
class EndedByServer extends Error {}

async function toItsEnd(
  first: TaskState,
  { peer, clock, signal }: FollowOptions,
): Promise<unknown> {
  const madeAt = clock.now();
  const answered = new Set<string>();
  for (let task = first; ; task = await ask(task, { peer, clock, signal })) {
    if (task.status === "completed" && task.result !== undefined) return task.result;
    if (task.status === "failed" || task.status === "cancelled") throw ended(task);
    if (clock.now() - madeAt > (task.ttlMs ?? Number.POSITIVE_INFINITY)) throw createOverdue(task);
    if (task.status === "input_required") {
      const open = Object.entries(task.inputRequests).filter(([key]) => !answered.has(key));
      for (const [key] of open) answered.add(key);
      // a person may be asked the same by each poll; once is enough
      if (open.length > 0) await peer.answer(task.taskId, Object.fromEntries(open), signal);
    }
  }
}

/** How it is after the pause that the server wishes; an answer that is lost is asked for again. */
async function ask(last: TaskState, { peer, clock, signal }: FollowOptions): Promise<TaskState> {
  for (let losses = 1; ; losses += 1) {
    await waitFor(pollMsOf(last), clock, signal);
    try {
      return await peer.get(last.taskId, signal);
    } catch (error) {
      signal.throwIfAborted();
      const failure = explainError(error, `task ${last.taskId}`);
      const isPassing = judgeFailure(failure, true) === "again";
      if (!isPassing || losses === lossesMax) throw toCallFailure(failure);
    }
  }
}

/** The poll may never have arrived, but the call did: it must not be taken for one that did not begin. */
function toCallFailure(failure: LuminaGuardError): LuminaGuardError {
  const isPassing = judgeFailure(failure, true) !== "never";
  const code = isPassing ? "MCP_TRANSIENT" : failure.code;
  return createMcpError(code, `the task was lost sight of: ${failure.message}`, {
    delivery: "maybe",
    cause: failure,
  });
}

function ended(task: TaskState): EndedByServer {
  if (task.status === "failed" && task.error !== undefined) {
    const { code, message, data } = task.error;
    return new EndedByServer("failed", { cause: ProtocolError.fromError(code, message, data) });
  }
  const text = task.statusMessage === undefined ? "" : `: ${task.statusMessage}`;
  const message = `task ${task.taskId} was ${task.status} by the server${text}`;
  const code = task.status === "cancelled" ? "CANCELLED" : "MCP_PROTOCOL";
  const cause = createMcpError(code, message, { delivery: "answered" });
  return new EndedByServer(task.status, { cause });
}

function createOverdue(task: TaskState): LuminaGuardError {
  const message = `task ${task.taskId} did not end within the ${String(task.ttlMs)} ms that the server keeps it`;
  return createMcpError("TIMEOUT", message, { delivery: "maybe", phase: "total" });
}
