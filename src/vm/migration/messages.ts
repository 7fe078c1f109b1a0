/** What two hosts say to each other about a machine that goes from one to the other. */
import * as v from "valibot";
import type { SaveKey } from "../hypervisor.ts";
import type { KeptRecord } from "../kept/kept-record.ts";

/** What the machine is, beside its memory. */
export type MovedFacts = Pick<
  KeptRecord,
  "name" | "memoryMib" | "vcpus" | "env" | "workspace" | "checkpoint" | "image"
>;

/** The sender's first word. */
export interface Hello {
  readonly kind: "hello";
  readonly version: 1;
  /** of this move, 32 hex digits */
  readonly id: string;
  /** the receiver's one-time code; null: it knows the key */
  readonly code: string | null;
  /** sent while it runs, or saved first */
  readonly form: "stream" | "files";
  readonly machine: MovedFacts;
  readonly key: SaveKey;
  /** SHA-256 of what says that the sender gave the machine up */
  readonly tokenHash: string;
}

/** Of a machine that was saved: each file is its head, its bytes and zeroes, and its end. */
export type FilePart =
  | { readonly kind: "file"; readonly name: string; readonly bytes: number }
  | { readonly kind: "zeroes"; readonly bytes: number }
  | { readonly kind: "file end"; readonly sha256: string };

export type SenderMessage =
  | Hello
  /** what was sent into the machine's workspace */
  | { readonly kind: "baseline"; readonly baseline: unknown }
  | { readonly kind: "end"; readonly bytes: number }
  /** the machine is given up here: it may run there */
  | { readonly kind: "commit"; readonly id: string; readonly token: string }
  /** is it running there? if not, it never may */
  | { readonly kind: "withdraw"; readonly id: string };

export type ReceiverMessage =
  /** @property proofHash SHA-256 of what says that the receiver gave the machine up */
  | { readonly kind: "accepted"; readonly proofHash: string }
  | {
      readonly kind: "refused";
      readonly code: string;
      readonly message: string;
      readonly hint?: string | undefined;
    }
  | { readonly kind: "ready" }
  | { readonly kind: "running" }
  | { readonly kind: "arrived"; readonly machine: string }
  /** the answer to `withdraw` of a machine that is not running and now never will */
  | { readonly kind: "declined"; readonly proof: string };

const hex = (digits: number): v.GenericSchema<unknown, string> =>
  v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${digits}}$`)));
const id = hex(32);
const secret = hex(64);
const word = v.pipe(v.string(), v.maxLength(4096));

export const keySchema: v.GenericSchema<unknown, SaveKey> = v.strictObject({
  backend: word,
  version: word,
  cpu: word,
  imageDigest: word,
  arguments: word,
});

const helloSchema: v.GenericSchema<unknown, Hello> = v.strictObject({
  kind: v.literal("hello"),
  version: v.literal(1),
  id,
  code: v.nullable(word),
  form: v.picklist(["stream", "files"]),
  machine: v.strictObject({
    name: word,
    memoryMib: v.number(),
    vcpus: v.number(),
    env: v.record(v.string(), v.string()),
    workspace: v.nullable(v.strictObject({ root: word, include: v.array(word) })),
    checkpoint: v.picklist(["never", "effect"]),
    image: word,
  }),
  key: keySchema,
  tokenHash: secret,
});

/** as large as a machine may be, and no sum of a few is inexact */
const bytes = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(2 ** 46));

export const partSchema: v.GenericSchema<unknown, FilePart> = v.variant("kind", [
  v.strictObject({
    kind: v.literal("file"),
    name: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9._-]{0,62}$/)),
    bytes,
  }),
  v.strictObject({ kind: v.literal("zeroes"), bytes }),
  v.strictObject({ kind: v.literal("file end"), sha256: secret }),
]);

export const senderSchema: v.GenericSchema<unknown, SenderMessage> = v.union([
  helloSchema,
  v.strictObject({ kind: v.literal("baseline"), baseline: v.unknown() }),
  v.strictObject({ kind: v.literal("end"), bytes: v.number() }),
  v.strictObject({ kind: v.literal("commit"), id, token: secret }),
  v.strictObject({ kind: v.literal("withdraw"), id }),
]);

export const receiverSchema: v.GenericSchema<unknown, ReceiverMessage> = v.variant("kind", [
  v.strictObject({ kind: v.literal("accepted"), proofHash: secret }),
  v.strictObject({
    kind: v.literal("refused"),
    code: word,
    message: word,
    hint: v.optional(word),
  }),
  v.strictObject({ kind: v.literal("ready") }),
  v.strictObject({ kind: v.literal("running") }),
  v.strictObject({ kind: v.literal("arrived"), machine: word }),
  v.strictObject({ kind: v.literal("declined"), proof: secret }),
]);
