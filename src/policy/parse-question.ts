/** A question as a person writes it: the kind of effect, and of its facts those that matter. */
import * as v from "valibot";
import { LuminaGuardError } from "../errors.ts";
import { riskLevels } from "./question.ts";
import type { Effect, Question, RiskLevel } from "./question.ts";

const text = v.string();
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const words = v.array(v.string());
const fact = v.optional(v.boolean(), false);
const commit = "0".repeat(40);

/** What is left out is as plain as it can be, and as little known as it can be. */
const effectSchema: v.GenericSchema<unknown, Effect> = v.variant("kind", [
  v.strictObject({
    kind: v.literal("file-write-back"),
    root: v.optional(text, "/home/you/project"),
    added: v.optional(count, 0),
    modified: v.optional(count, 1),
    deleted: v.optional(count, 0),
    flags: v.optional(words, []),
  }),
  v.strictObject({
    kind: v.literal("host-command"),
    argv: v.optional(words, ["true"]),
    cwd: v.optional(text, "/home/you"),
  }),
  v.strictObject({
    kind: v.literal("network-grant"),
    host: v.optional(text, "example.org"),
    port: v.optional(count, 443),
    methods: v.optional(words, ["GET"]),
    isFirstContact: v.optional(v.boolean(), true),
  }),
  v.strictObject({
    kind: v.literal("network-card"),
    nic: v.optional(v.literal("user"), "user"),
  }),
  v.strictObject({
    kind: v.literal("secret-use"),
    secret: v.optional(text, "TOKEN"),
    host: v.optional(text, "example.org"),
    isOwnHost: fact,
  }),
  v.strictObject({
    kind: v.literal("mcp-call"),
    server: v.optional(text, "server"),
    tool: v.optional(text, "tool"),
    harm: v.optional(v.picklist(["harmless", "unknown", "destructive"]), "unknown"),
    isFirstCall: fact,
  }),
  v.strictObject({
    kind: v.literal("git-landing"),
    repository: v.optional(text, "/home/you/project"),
    ref: v.optional(text, "refs/heads/main"),
    before: v.optional(v.nullable(text), commit),
    after: v.optional(text, commit),
    isForced: fact,
  }),
  v.strictObject({
    kind: v.literal("message"),
    channel: v.optional(text, "mail"),
    recipients: v.optional(words, []),
  }),
  v.strictObject({
    kind: v.literal("policy-change"),
    what: v.optional(v.picklist(["policy", "grant", "memory", "skill"]), "policy"),
    isWider: v.optional(v.boolean(), true),
  }),
  v.strictObject({
    kind: v.literal("spend"),
    amountMinor: v.optional(count, 100),
    currency: v.optional(text, "EUR"),
    payee: v.optional(text, "shop"),
  }),
]);

export const writtenQuestionSchema: v.GenericSchema<unknown, WrittenQuestion> = v.strictObject({
  effect: effectSchema,
  who: v.optional(text, "run"),
  run: v.optional(text, "run-1"),
  task: v.optional(v.nullable(text), null),
  tool: v.optional(v.nullable(text), null),
  risk: v.optional(v.nullable(v.picklist(riskLevels)), null),
  tainted: fact,
  args: v.optional(v.record(text, text), {}),
  promptsInRun: v.optional(count, 0),
});

/** What is null follows from the effect. */
export interface WrittenQuestion extends Omit<Question, "tool" | "risk"> {
  readonly tool: string | null;
  readonly risk: RiskLevel | null;
}

/** Judges how bad an effect is where the question does not say. */
export type Assess = (effect: Effect, tainted: boolean) => RiskLevel;

/** Raises USAGE, naming the field. */
export function parseQuestion(value: unknown, assess: Assess): Question {
  const result = v.safeParse(writtenQuestionSchema, value);
  if (result.success) return completeQuestion(result.output, assess);
  throw questionInvalid(result.issues[0], "the question");
}

export function completeQuestion(written: WrittenQuestion, assess: Assess): Question {
  const { effect, tainted, tool, risk } = written;
  const named = effect.kind === "mcp-call" ? `${effect.server}.${effect.tool}` : effect.kind;
  return { ...written, tool: tool ?? named, risk: risk ?? assess(effect, tainted) };
}

export function questionInvalid(issue: v.BaseIssue<unknown>, what: string): LuminaGuardError {
  const where = v.getDotPath(issue) ?? what;
  return new LuminaGuardError("USAGE", `${where}: ${issue.message}`, {
    hint: "docs/policy.md lists each kind of effect with its facts",
  });
}
