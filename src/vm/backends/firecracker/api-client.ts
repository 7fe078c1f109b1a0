/**
 * Firecracker's API: HTTP over a Unix socket in the machine's folder. Each call has a deadline and obeys
 * the caller's signal, an answer has a bound, and what the hypervisor complains of is the error. A guest
 * that broke out of its machine would be the one who answers: its bytes are read as a stranger's.
 */
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import type { Clock } from "../../../base/clock.ts";
import { withDeadline } from "../../../base/deadline.ts";
import { createDeferred } from "../../../base/deferred.ts";
import { escapeText } from "../../../base/escape-text.ts";
import { LuminaGuardError } from "../../../errors.ts";
import type { ApiCall } from "./calls.ts";

export interface CallOptions {
  /** longest wait for the answer in `ms`
   * @default 5_000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** an answer is at most a machine's whole configuration, some KiB */
const answerBytesMax = 256 * 1024;
const faultCharactersMax = 500;
const callTimeoutMs = 5_000;
/** pause between two tries to connect, in `ms` */
const retryMs = 2;

const faultSchema = v.object({ fault_message: v.string() });
const versionSchema = v.object({
  firecracker_version: v.pipe(v.string(), v.regex(/^\d+\.\d+\.\d+/), v.maxLength(100)),
});

export class FirecrackerApi {
  readonly #socketPath: string;
  readonly #clock: Clock | undefined;

  /** @param clock what every wait is counted on */
  constructor(socketPath: string, clock?: Clock) {
    this.#socketPath = socketPath;
    this.#clock = clock;
  }

  /**
   * The version of the process that listens, waiting until one does. Raises TIMEOUT, PROCESS_FAILED or
   * the signal's reason.
   */
  async ready(timeoutMs: number, signal?: AbortSignal): Promise<string> {
    const over = new AbortController();
    const scope = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
    const asked = this.#untilListening(scope);
    try {
      const options = { timeoutMs, what: "starting Firecracker", signal, clock: this.#clock };
      const body = await withDeadline(asked, options);
      return v.parse(versionSchema, body).firecracker_version;
    } catch (error) {
      if (error instanceof v.ValiError)
        throw refused("GET /version", "it does not say its version");
      throw error;
    } finally {
      over.abort();
    }
  }

  /** Each call after the one before. Raises HYPERVISOR_REFUSED with what it complained of. */
  async tell(calls: readonly ApiCall[], options: CallOptions = {}): Promise<void> {
    for (const { method, path, body } of calls) {
      await this.#timed(method, path, JSON.stringify(body), options);
    }
  }

  async #untilListening(signal: AbortSignal): Promise<unknown> {
    for (;;) {
      try {
        return await this.#timed("GET", "/version", undefined, { signal });
      } catch (error) {
        const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
        if (code !== "ENOENT" && code !== "ECONNREFUSED") throw error;
      }
      await sleep(retryMs, undefined, { signal });
    }
  }

  #timed(
    method: string,
    path: string,
    body: string | undefined,
    { timeoutMs = callTimeoutMs, signal }: CallOptions,
  ): Promise<unknown> {
    const over = new AbortController();
    const call = this.#send(method, path, body, over.signal);
    const what = `${method} ${path}`;
    const options = { timeoutMs, what, signal, clock: this.#clock };
    return withDeadline(call, options).finally(() => over.abort());
  }

  #send(
    method: string,
    path: string,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<unknown> {
    const answer = createDeferred<unknown>();
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const request = http.request({
      ...{ socketPath: this.#socketPath, method, path, signal, agent: false },
      headers: { accept: "application/json", "content-type": "application/json", ...length },
      maxHeaderSize: 16 * 1024,
    });
    const fail = (error: unknown): void => answer.reject(lost(`${method} ${path}`, error));
    request.once("error", fail);
    request.once("response", (response) => {
      readBody(response).then((text) => {
        try {
          answer.resolve(judge(`${method} ${path}`, response.statusCode ?? 0, text));
        } catch (error) {
          answer.reject(error);
        }
      }, fail);
    });
    request.end(body);
    return answer.promise;
  }
}

async function readBody(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) {
      response.destroy();
      throw new LuminaGuardError("WIRE_LIMIT", "the hypervisor's answer has no end");
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** 2xx is done, with a body or none; every other status carries a complaint. */
function judge(call: string, status: number, text: string): unknown {
  const body = parseIfJson(text);
  if (status >= 200 && status < 300) return body;
  const fault = v.safeParse(faultSchema, body);
  throw refused(call, fault.success ? fault.output.fault_message : `status ${status}`);
}

function parseIfJson(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined; // judged by its status
  }
}

function refused(call: string, fault: string): LuminaGuardError {
  const complaint = escapeText(fault.slice(0, faultCharactersMax));
  return new LuminaGuardError("HYPERVISOR_REFUSED", `firecracker refused ${call}: ${complaint}`, {
    details: { call },
  });
}

function lost(call: string, error: unknown): LuminaGuardError {
  if (error instanceof LuminaGuardError) return error;
  const message = escapeText((error as Error).message);
  return new LuminaGuardError("PROCESS_FAILED", `firecracker did not answer ${call}: ${message}`, {
    cause: error,
  });
}
