/** An envelope's form and its bounds: what an asker gives, and what is read back from the store. */
import * as v from "valibot";
import { LuminaGuardError } from "../errors.ts";
import type { Effect } from "./effect.ts";
import type { ActionEnvelope, EnvelopeDraft, Operand, Taint } from "./envelope.ts";
import type { JsonObject, JsonValue } from "./json.ts";

/** largest canonical envelope in `bytes`: a change set of some ten thousand files */
export const envelopeBytesMax: number = 8 * 1024 ** 2;

/** Text that UTF-8 can carry: a lone surrogate has no bytes, so two texts would share a digest. */
const text = (max: number): v.GenericSchema<string> =>
  v.pipe(
    v.string(),
    v.maxLength(max),
    v.check((value) => value.isWellFormed(), "holds half of a character"),
  );
const name: v.GenericSchema<string> = v.pipe(text(256), v.minLength(1));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const names = v.pipe(v.array(text(4096)), v.maxLength(10_000));
const time = v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/));
const ulid = v.pipe(v.string(), v.regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/));
const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const json: v.GenericSchema<JsonValue> = v.lazy(() =>
  v.union([v.null(), v.boolean(), v.pipe(v.number(), v.finite()), longText, v.array(json), object]),
);
const longText = text(4 * 1024 ** 2);
const object: v.GenericSchema<JsonObject> = v.record(text(4096), json);

const effect: v.GenericSchema<Effect> = v.variant("kind", [
  v.strictObject({
    kind: v.literal("file-write-back"),
    root: text(4096),
    added: count,
    modified: count,
    deleted: count,
    flags: names,
  }),
  v.strictObject({ kind: v.literal("host-command"), argv: v.array(longText), cwd: text(4096) }),
  v.strictObject({
    kind: v.literal("network-grant"),
    host: name,
    port: v.pipe(count, v.maxValue(65_535)),
    methods: names,
    isFirstContact: v.boolean(),
  }),
  v.strictObject({ kind: v.literal("network-card"), nic: v.literal("user") }),
  v.strictObject({
    kind: v.literal("secret-use"),
    secret: name,
    host: name,
    isOwnHost: v.boolean(),
  }),
  v.strictObject({
    kind: v.literal("mcp-call"),
    server: name,
    tool: name,
    harm: v.picklist(["harmless", "unknown", "destructive"]),
    isFirstCall: v.boolean(),
  }),
  v.strictObject({
    kind: v.literal("git-landing"),
    repository: text(4096),
    ref: name,
    before: v.nullable(name),
    after: name,
    isForced: v.boolean(),
  }),
  v.strictObject({ kind: v.literal("message"), channel: name, recipients: names }),
  v.strictObject({
    kind: v.literal("policy-change"),
    what: v.picklist(["policy", "grant", "memory", "skill"]),
    isWider: v.boolean(),
  }),
  v.strictObject({
    kind: v.literal("spend"),
    amountMinor: count,
    currency: v.pipe(v.string(), v.regex(/^[A-Z]{3}$/)),
    payee: name,
  }),
]);

const operand: v.GenericSchema<Operand> = v.strictObject({
  name: text(4096),
  sha256,
  size: count,
});
const taint: v.GenericSchema<Taint> = v.strictObject({ tainted: v.boolean(), sources: names });

const asked = {
  who: name,
  run: name,
  tool: name,
  args: object,
  effects: v.pipe(v.array(effect), v.minLength(1), v.maxLength(64)),
};
const parents = v.pipe(v.array(name), v.maxLength(16));
const operands = v.pipe(v.array(operand), v.maxLength(20_000));
const said = text(16_384);

const draftSchema: v.GenericSchema<unknown, EnvelopeDraft> = v.strictObject({
  ...asked,
  parents: v.exactOptional(parents),
  task: v.exactOptional(v.nullable(name)),
  machine: v.exactOptional(v.nullable(name)),
  operands: v.exactOptional(operands),
  toolFingerprint: v.exactOptional(v.nullable(name)),
  taint: v.exactOptional(taint),
  says: v.exactOptional(said),
  replaces: v.exactOptional(v.nullable(ulid)),
});

const envelopeSchema: v.GenericSchema<unknown, ActionEnvelope> = v.strictObject({
  v: v.literal(1),
  id: ulid,
  ...asked,
  parents,
  task: v.nullable(name),
  machine: v.nullable(name),
  operands,
  policyVersion: name,
  toolFingerprint: v.nullable(name),
  taint,
  says: said,
  replaces: v.nullable(ulid),
  createdAt: time,
  expiresAt: time,
  nonce: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
});

/** The draft as it is judged. Raises ENVELOPE_INVALID, naming the field. */
export function parseDraft(value: unknown): EnvelopeDraft {
  return parse(draftSchema, value);
}

/** An envelope that was stored. Raises ENVELOPE_INVALID when it is damaged. */
export function parseEnvelope(value: unknown): ActionEnvelope {
  return parse(envelopeSchema, value);
}

function parse<T>(schema: v.GenericSchema<unknown, T>, value: unknown): T {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = v.getDotPath(issue) ?? "the envelope";
  throw new LuminaGuardError("ENVELOPE_INVALID", `${where}: ${issue.message}`, {
    hint: "the envelope is refused whole; nothing was asked and nothing ran",
  });
}
