/** What is asked of a supervisor about moves, on a socket of its own beside the one that leads to its guest. */
import net from "node:net";
import { once } from "node:events";
import * as v from "valibot";
import { LuminaGuardError } from "../../errors.ts";
import { FrameLink } from "../../vm/migration/frame-link.ts";

export type MoveRequest =
  /** the stream goes on with what the sender says, its greeting first */
  | { readonly kind: "arrive" }
  /** from the sender, which showed its key */
  | { readonly kind: "commit"; readonly id: string; readonly token: string }
  | { readonly kind: "withdraw"; readonly id: string }
  /** from a person */
  | {
      readonly kind: "migrate";
      readonly to: string;
      readonly pin: string;
      readonly code: string | null;
    }
  | { readonly kind: "migrate to file"; readonly path: string }
  | ResolveRequest;

export interface ResolveRequest {
  readonly kind: "resolve";
  readonly where: "here" | "there";
  /** what the other side told: its token or its proof; null: nothing */
  readonly token: string | null;
  /** a person vouches that the machine cannot run on the other side any more */
  readonly otherIsGone: boolean;
}

export type MoveAnswer =
  | { readonly kind: "progress"; readonly bytes: number }
  | Moved
  | Filed
  | Resolved
  | {
      readonly kind: "failed";
      readonly code: string;
      readonly message: string;
      readonly hint?: string | undefined;
    };

export interface Moved {
  readonly kind: "moved";
  readonly to: string;
  /** sent in all, in `bytes` */
  readonly bytes: number;
  /** from its stop here until it was said to run there, in `ms` */
  readonly pauseMs: number;
  /** in all, in `ms` */
  readonly durationMs: number;
}

/** All of the machine is in a file, and it stands still here until a person says which of the two goes on. */
export interface Filed {
  readonly kind: "filed";
  /** the file */
  readonly to: string;
  /** of the file, in `bytes` */
  readonly bytes: number;
}

export interface Resolved {
  readonly kind: "resolved";
  /** where the machine may run now */
  readonly where: "here" | "there";
  /** what is to be told to the other side, which could not be reached; null: it knows */
  readonly token: string | null;
}

const word = v.pipe(v.string(), v.maxLength(4096));

export const requestSchema: v.GenericSchema<unknown, MoveRequest> = v.variant("kind", [
  v.strictObject({ kind: v.literal("arrive") }),
  v.strictObject({ kind: v.literal("commit"), id: word, token: word }),
  v.strictObject({ kind: v.literal("withdraw"), id: word }),
  v.strictObject({ kind: v.literal("migrate"), to: word, pin: word, code: v.nullable(word) }),
  v.strictObject({ kind: v.literal("migrate to file"), path: word }),
  v.strictObject({
    kind: v.literal("resolve"),
    where: v.picklist(["here", "there"]),
    token: v.nullable(word),
    otherIsGone: v.boolean(),
  }),
]);

export const answerSchema: v.GenericSchema<unknown, MoveAnswer> = v.variant("kind", [
  v.strictObject({ kind: v.literal("progress"), bytes: v.number() }),
  v.strictObject({
    kind: v.literal("moved"),
    to: word,
    bytes: v.number(),
    pauseMs: v.number(),
    durationMs: v.number(),
  }),
  v.strictObject({ kind: v.literal("filed"), to: word, bytes: v.number() }),
  v.strictObject({
    kind: v.literal("resolved"),
    where: v.picklist(["here", "there"]),
    token: v.nullable(word),
  }),
  v.strictObject({
    kind: v.literal("failed"),
    code: word,
    message: word,
    hint: v.optional(word),
  }),
]);

/** Raises VM_GONE when no supervisor listens there. */
export async function connectSupervisor(path: string): Promise<net.Socket> {
  const socket = net.connect(path);
  try {
    await once(socket, "connect");
  } catch (cause) {
    throw new LuminaGuardError("VM_GONE", "the machine's supervisor does not answer", {
      hint: "luminaguard vm ls  says what is left",
      cause,
    });
  }
  return socket;
}

export async function openMoveLink(path: string): Promise<FrameLink> {
  return new FrameLink(await connectSupervisor(path));
}
