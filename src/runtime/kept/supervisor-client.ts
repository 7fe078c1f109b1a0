/** What is asked of a supervisor itself, on the connection that also leads to its guest. */
import * as v from "valibot";
import { isLuminaGuardError } from "../../errors.ts";
import type { Save } from "../../vm/hypervisor.ts";
import { answered, readAll } from "../../wire/request.ts";
import type { WireClient } from "../../wire/wire-client.ts";
import { fromPlainError, saveSchema, statusSchema } from "./supervisor-protocol.ts";
import type { SupervisorStatus } from "./supervisor-protocol.ts";

interface SignalOption {
  readonly signal?: AbortSignal | undefined;
}

/** copying a large machine's memory to a slow disk */
const saveTimeoutMs = 120_000;
const answerBytesMax = 256 * 1024;

export class SupervisorClient {
  readonly #wire: WireClient;

  constructor(wire: WireClient) {
    this.#wire = wire;
  }

  status(options: SignalOption): Promise<SupervisorStatus> {
    return this.#ask("GET", "status", undefined, statusSchema, options);
  }

  save(folder: string, options: SignalOption): Promise<Save> {
    return this.#ask("POST", "save", { folder }, saveSchema, options, saveTimeoutMs);
  }

  async stop(options: SignalOption): Promise<void> {
    try {
      await this.#ask("POST", "stop", {}, v.object({}), options);
    } catch (error) {
      if (!isLuminaGuardError(error, "WIRE_BROKEN")) throw error; // it went before it answered
    }
  }

  async #ask<const Schema extends v.GenericSchema>(
    method: "GET" | "POST",
    word: string,
    body: unknown,
    schema: Schema,
    { signal }: SignalOption,
    timeoutMs?: number,
  ): Promise<v.InferOutput<Schema>> {
    const stream = this.#wire.request({ ":method": method, ":path": `/supervisor/${word}` });
    stream.end(body === undefined ? undefined : JSON.stringify(body));
    try {
      await answered(stream, { signal, timeoutMs });
      const text = await readAll(stream, answerBytesMax, { signal, timeoutMs });
      return v.parse(schema, JSON.parse(text.toString("utf8")));
    } catch (error) {
      throw explain(error);
    }
  }
}

/** A supervisor refuses as a guest does; what it raised is in the details. */
function explain(error: unknown): unknown {
  if (!isLuminaGuardError(error, "GUEST_REFUSED")) return error;
  const { code, title, hint } = error.details;
  if (typeof code !== "string" || typeof title !== "string") return error;
  return fromPlainError({ code, message: title, ...(typeof hint === "string" && { hint }) });
}
