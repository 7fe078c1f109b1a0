/**
 * The SDK's client, for servers that answer a call with a task. The SDK refuses such an answer; here
 * it is handed on as one that is not complete, which the SDK leaves to its subclass.
 */
import { SdkError, SdkErrorCode } from "@modelcontextprotocol/client";
import type {
  ClientOptions,
  Implementation,
  JSONRPCResponse,
  RequestOptions,
  StandardSchemaV1,
} from "@modelcontextprotocol/client";
import * as v from "valibot";
import { longestTimerMs } from "../../../base/clock.ts";
import type { Clock } from "../../../base/clock.ts";
import { createMcpError } from "../delivery.ts";
import { QuickClient } from "../quick-client.ts";
import { waitFor } from "../retry.ts";
import { followTask } from "./follow-task.ts";
import type { TaskPeer } from "./follow-task.ts";
import { acknowledged, tasksExtension, taskSchema } from "./task-state.ts";
import type { TaskState } from "./task-state.ts";

type NonComplete = Parameters<QuickClient["_resolveNonCompleteResult"]>;
type Decoded = NonComplete[0];
type Flow = NonComplete[1];

/** longest wait for the word that a task is no longer wanted to arrive, in ms */
const cancelMs = 5000;

export class TaskClient extends QuickClient {
  readonly #clock: Clock;
  /** by what stands for them among the results that are not complete */
  readonly #tasks = new WeakMap<object, unknown>();

  /** @param clock stands still while a person is asked */
  constructor(info: Implementation, options: ClientOptions, clock: Clock) {
    const { capabilities = {} } = options;
    const extensions = { ...capabilities.extensions, [tasksExtension]: {} };
    super(info, { ...options, capabilities: { ...capabilities, extensions } });
    this.#clock = clock;
  }

  protected override _onresponse(response: JSONRPCResponse): void {
    if (!("result" in response) || response.result["resultType"] !== "task") {
      super._onresponse(response);
      return;
    }
    const inputRequests = {};
    this.#tasks.set(inputRequests, response.result);
    const result = { resultType: "input_required", inputRequests, requestState: "" };
    super._onresponse({ ...response, result });
  }

  protected override async _resolveNonCompleteResult(
    decoded: Decoded,
    flow: Flow,
  ): Promise<unknown> {
    const made = this.#tasks.get(decoded.inputRequests);
    if (made === undefined) return super._resolveNonCompleteResult(decoded, flow);
    const { method } = flow.request;
    const task = v.safeParse(taskSchema, made);
    if (!task.success || method !== "tools/call") {
      const message = `Invalid result for ${method}: a task, where none may be`;
      throw new SdkError(SdkErrorCode.InvalidResult, message, { method });
    }
    return this.#check(await this.#follow(task.output, flow), flow);
  }

  async #follow(task: TaskState, flow: Flow): Promise<unknown> {
    const { signal: outer, timeout = longestTimerMs } = flow.options ?? {};
    const limit = new AbortController();
    const over = new AbortController();
    const onAbort = (): void => limit.abort(outer?.reason);
    if (outer?.aborted === true) onAbort();
    outer?.addEventListener("abort", onAbort, { once: true });
    const leftMs = Math.max(0, timeout - (Date.now() - flow.flowStartedAt));
    waitFor(leftMs, this.#clock, over.signal).then(
      () => limit.abort(createTimeout(task)),
      () => undefined,
    );
    const options = { peer: this.#peer(flow), clock: this.#clock, signal: limit.signal };
    try {
      return await followTask(task, options);
    } finally {
      over.abort();
      outer?.removeEventListener("abort", onAbort);
    }
  }

  #peer(flow: Flow): TaskPeer {
    const send = <S extends StandardSchemaV1>(
      what: "get" | "update" | "cancel",
      params: Record<string, unknown>,
      schema: S,
      options: RequestOptions,
    ): Promise<StandardSchemaV1.InferOutput<S>> =>
      this.request({ method: `tasks/${what}`, params }, schema, options);
    return {
      get: (taskId, signal) => send("get", { taskId }, taskSchema, { signal }),
      answer: async (taskId, inputRequests, signal) => {
        const retry: Flow["retry"] = (params) => {
          const { inputResponses } = params ?? {};
          return send("update", { taskId, inputResponses }, acknowledged, { signal });
        };
        const options = { ...flow.options, signal };
        await super._resolveNonCompleteResult(
          { kind: "input_required", inputRequests },
          { ...flow, options, retry },
        );
      },
      cancel: (taskId) => {
        send("cancel", { taskId }, acknowledged, { timeout: cancelMs }).catch(() => undefined);
      },
    };
  }

  /** A task's result is held to what the answer to the call would have been. */
  async #check(result: unknown, { codec, request, resultSchema }: Flow): Promise<unknown> {
    const raw = { ...(result as object), resultType: "complete" };
    const decoded = codec.decodeResult(request.method, raw);
    if (decoded.kind === "invalid") throw decoded.error;
    if (decoded.kind === "input_required") throw new Error("a task's result is complete");
    const checked = await resultSchema["~standard"].validate(decoded.result);
    if (checked.issues === undefined) return checked.value;
    const why = checked.issues.map(({ message }) => message).join("; ");
    throw new SdkError(SdkErrorCode.InvalidResult, `Invalid result for ${request.method}: ${why}`);
  }
}

function createTimeout({ taskId }: TaskState): Error {
  const message = `task ${taskId} did not end within the call's time`;
  return createMcpError("TIMEOUT", message, { delivery: "maybe", phase: "total" });
}
