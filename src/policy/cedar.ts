/** The official Cedar engine, loaded when the first policy is: its WebAssembly takes a moment. */
import { setFlagsFromString } from "node:v8";
import type * as CedarModule from "@cedar-policy/cedar-wasm/nodejs";
import { LuminaGuardError, messageOf } from "../errors.ts";

export type Cedar = typeof CedarModule;
export type {
  DetailedError,
  EntityJson,
  PolicyJson,
  TypeAndId,
} from "@cedar-policy/cedar-wasm/nodejs";

let loading: Promise<Cedar> | undefined;

/**
 * V8 11, that of Node 20, ends the whole process when it takes back the optimized caller of a
 * WebAssembly function that gives an object ("unreachable code" in the deoptimizer). A caller into
 * which no call was inlined has nothing to take back.
 */
function avoidDeoptimizerCrash(): void {
  if (Number.parseInt(process.versions.v8) < 12) {
    setFlagsFromString("--no-turbo-inline-js-wasm-calls");
  }
}

/** The engine of this process. Raises POLICY_INVALID where it cannot be loaded: nothing is judged without it. */
export function loadCedar(): Promise<Cedar> {
  if (loading === undefined) avoidDeoptimizerCrash();
  loading ??= import("@cedar-policy/cedar-wasm/nodejs").catch((error: unknown) => {
    throw new LuminaGuardError("POLICY_INVALID", `no policy engine: ${messageOf(error)}`, {
      hint: "install luminaguard again; nothing is allowed without its policy engine",
      cause: error,
    });
  });
  return loading;
}

/** What the engine said is wrong, in one line. */
export function renderErrors(errors: readonly CedarModule.DetailedError[]): string {
  return errors.map(({ message }) => message).join("; ");
}
