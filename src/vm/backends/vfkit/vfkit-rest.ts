/**
 * vfkit's REST service on a Unix socket: the machine's state, and requests to change it. What answers
 * has the guest's bytes in it, so every answer is bounded and checked. Protocol: doc/usage.md of
 * crc-org/vfkit; answers are 200 for a state, 202 for a change, 400 and 500 with a reason.
 */
import http from "node:http";
import * as v from "valibot";
import { withDeadline } from "../../../base/deadline.ts";
import { LuminaGuardError } from "../../../errors.ts";

export type StateChange = "Pause" | "Resume" | "Stop" | "HardStop";

export interface VfkitState {
  /** VirtualMachineStateRunning and its like */
  readonly state: string;
  readonly canStop: boolean;
  readonly canHardStop: boolean;
}

const stateSchema: v.GenericSchema<unknown, VfkitState> = v.object({
  state: v.string(),
  canStop: v.boolean(),
  canHardStop: v.boolean(),
});
const refusalSchema = v.object({ error: v.string() });

const answerBytesMax = 64 * 1024;

export interface RestOptions {
  /** longest wait for the answer in `ms`
   * @default 1_000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Raises PROCESS_FAILED for an answer that is none, TIMEOUT. */
export async function readState(socketPath: string, options?: RestOptions): Promise<VfkitState> {
  const answer = await ask(socketPath, "GET", undefined, options);
  const parsed = v.safeParse(stateSchema, parseIfJson(answer.body));
  if (answer.status === 200 && parsed.success) return parsed.output;
  throw refusal("say its machine's state", answer);
}

/** Resolves when vfkit took the request; the change comes later, if the guest lets it. Raises as `readState`. */
export async function changeState(
  socketPath: string,
  state: StateChange,
  options?: RestOptions,
): Promise<void> {
  const answer = await ask(socketPath, "POST", renderChange(state), options);
  if (answer.status !== 202 && answer.status !== 200) throw refusal(state, answer);
}

/** Body of a request for a change. */
export function renderChange(state: StateChange): string {
  return JSON.stringify({ state });
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function ask(
  socketPath: string,
  method: "GET" | "POST",
  body: string | undefined,
  { timeoutMs = 1_000, signal }: RestOptions = {},
): Promise<Answer> {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const request = http.request({ socketPath, path: "/vm/state", method, headers, agent: false });
  const answer = new Promise<Answer>((resolve, reject) => {
    request.on("error", reject);
    request.once("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > answerBytesMax) request.destroy(new Error("the answer has no end"));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.once("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          body: Buffer.concat(chunks).toString("utf8"),
        });
      });
    });
    request.end(body);
  });
  try {
    return await withDeadline(answer, { timeoutMs, what: "vfkit's answer", signal });
  } catch (error) {
    if (error instanceof LuminaGuardError || signal?.aborted === true) throw error;
    const reason = error instanceof Error ? error.message : "";
    throw new LuminaGuardError("PROCESS_FAILED", `vfkit does not answer: ${reason}`, {
      cause: error,
    });
  } finally {
    request.destroy();
  }
}

function refusal(what: string, { status, body }: Answer): LuminaGuardError {
  const parsed = v.safeParse(refusalSchema, parseIfJson(body));
  const reason = parsed.success ? parsed.output.error : `it answered ${status}`;
  return new LuminaGuardError("PROCESS_FAILED", `vfkit did not ${what}: ${reason}`);
}

function parseIfJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not an answer of vfkit's
  }
}
