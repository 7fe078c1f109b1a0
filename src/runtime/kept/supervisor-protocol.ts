/**
 * What passes between a supervisor and whoever uses its machine: a few lines of JSON while it starts, and
 * then HTTP/2 on its socket. Below /v1/ is the wire of its machine, passed on; /supervisor/ is its own.
 */
import * as v from "valibot";
import type { Config } from "../../config/config.ts";
import { errorCodes, LuminaGuardError } from "../../errors.ts";
import type { ErrorCode } from "../../errors.ts";
import type { Save } from "../../vm/hypervisor.ts";

/** Written for one start into the machine's folder, and taken away by the supervisor that read it. */
export interface Launch {
  readonly config: Config;
  readonly toolEnvironment: Readonly<Record<string, string>>;
  /** id of the snapshot to go on from; null: a fresh machine */
  readonly snapshot: string | null;
  /** the machine comes from another host */
  readonly isArriving?: boolean | undefined;
  /** all of it came from another host, and waits in its folder */
  readonly hasArrived?: boolean | undefined;
}

export const launchName: string = "launch.json";

/** An error on its way to another process of ours. */
export interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

const errorSchema: v.GenericSchema<unknown, PlainError> = v.object({
  code: v.string(),
  message: v.string(),
  hint: v.optional(v.string()),
});

/** One line of a start. */
export const startLineSchema: v.GenericSchema<unknown, StartLine> = v.variant("kind", [
  v.object({ kind: v.literal("phase"), phase: v.any() }),
  v.object({ kind: v.literal("listening") }),
  v.object({
    kind: v.literal("ready"),
    machine: v.string(),
    how: v.picklist(["cold", "clone", "restored"]),
    ms: v.number(),
    backend: v.string(),
  }),
  v.object({ kind: v.literal("failed"), error: errorSchema }),
]);

export interface Ready {
  readonly kind: "ready";
  /** id of the machine */
  readonly machine: string;
  readonly how: "cold" | "clone" | "restored";
  /** from nothing until it answered, in `ms` */
  readonly ms: number;
  /** such as "qemu/tcg" */
  readonly backend: string;
}

export type StartLine =
  | { readonly kind: "phase"; readonly phase: unknown }
  /** it waits for a machine from another host */
  | { readonly kind: "listening" }
  | Ready
  | { readonly kind: "failed"; readonly error: PlainError };

export interface SupervisorStatus {
  readonly name: string;
  /** id of the machine */
  readonly machine: string;
  readonly pid: number;
  readonly vmmPid: number;
  /** such as "qemu/tcg" */
  readonly backend: string;
  readonly isFrozen: boolean;
  readonly canBeSaved: boolean;
  /** requests passed on at this moment */
  readonly streams: number;
  /** hostile text */
  readonly console: string;
}

export const statusSchema: v.GenericSchema<unknown, SupervisorStatus> = v.object({
  name: v.string(),
  machine: v.string(),
  pid: v.number(),
  vmmPid: v.number(),
  backend: v.string(),
  isFrozen: v.boolean(),
  canBeSaved: v.boolean(),
  streams: v.number(),
  console: v.string(),
});

export const saveRequestSchema: v.GenericSchema<unknown, { readonly folder: string }> =
  v.strictObject({ folder: v.string() });

export const saveSchema: v.GenericSchema<unknown, Save> = v.object({
  key: v.object({
    backend: v.string(),
    version: v.string(),
    cpu: v.string(),
    imageDigest: v.string(),
    arguments: v.string(),
  }),
  stopMs: v.number(),
});

export function toPlainError(error: unknown): PlainError {
  if (error instanceof LuminaGuardError) {
    const { code, message, hint } = error;
    return { code, message, ...(hint !== undefined && { hint }) };
  }
  return {
    code: "PROCESS_FAILED",
    message: error instanceof Error ? error.message : String(error),
  };
}

export function fromPlainError({ code, message, hint }: PlainError): Error {
  const known = code in errorCodes ? (code as ErrorCode) : "PROCESS_FAILED";
  return new LuminaGuardError(known, message, hint === undefined ? {} : { hint });
}
