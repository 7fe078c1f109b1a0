/** What policy says of a whole envelope: of each effect, for the asker and for all it works for. */
import { messageOf } from "../errors.ts";
import type { ActionEnvelope } from "./envelope.ts";
import type { Grant } from "./grant.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { strictest } from "./policy.ts";
import type { GrantRule, PolicyEngine, PolicyQuestion, PolicyVerdict } from "./policy.ts";
import { assess } from "./risk.ts";

export interface Judgement {
  readonly verdict: PolicyVerdict;
  /** ids of the grants without which it would not be allowed; each loses a use */
  readonly grants: readonly string[];
}

export interface JudgeOptions {
  readonly promptsInRun: number;
  /** grants that stand */
  readonly grants: readonly Grant[];
  /** rules of this one request, such as the person's own `--apply always` */
  readonly rules: readonly GrantRule[];
}

/** The strictest answer of all questions. What throws while judging is a deny. */
export function judgeEnvelope(
  engine: PolicyEngine,
  envelope: ActionEnvelope,
  { promptsInRun, grants, rules }: JudgeOptions,
): Judgement {
  const judgeWith = (more: readonly GrantRule[]): PolicyVerdict =>
    judgeAll(engine, envelope, promptsInRun, [...rules, ...more]);
  const plain = judgeWith([]);
  // a tainted asker is not the one that was trusted
  const usable = envelope.taint.tainted ? [] : grants.filter(({ scope }) => fits(scope, envelope));
  if (plain.answer !== "ask" || usable.length === 0) return { verdict: plain, grants: [] };
  const helped = judgeWith(usable);
  if (helped.answer !== "allow") return { verdict: plain, grants: [] };
  const used = usable.filter(({ id }) => helped.rules.includes(id)).map(({ id }) => id);
  return { verdict: helped, grants: used };
}

function fits(scope: Grant["scope"], { tool, run }: ActionEnvelope): boolean {
  return scope.tool === tool && (scope.run === null || scope.run === run);
}

function judgeAll(
  engine: PolicyEngine,
  envelope: ActionEnvelope,
  promptsInRun: number,
  rules: readonly GrantRule[],
): PolicyVerdict {
  try {
    const [first, ...others] = questionsOf(envelope, promptsInRun);
    const verdicts = others.map((question) => engine.judge(question, rules));
    const all: [PolicyVerdict, ...PolicyVerdict[]] = [engine.judge(first, rules), ...verdicts];
    const worst = strictest(all);
    // who allowed it is every rule that did, so that no grant is used unseen
    if (worst.answer !== "allow") return worst;
    return { ...worst, rules: [...new Set(all.flatMap((verdict) => verdict.rules))] };
  } catch (error) {
    return { answer: "deny", rules: [], reason: `policy failed: ${messageOf(error)}` };
  }
}

/** One question for each effect and each principal of the chain. */
export function questionsOf(
  envelope: ActionEnvelope,
  promptsInRun: number,
): readonly [PolicyQuestion, ...PolicyQuestion[]] {
  const { who, parents, run, task, tool, taint, effects } = envelope;
  const args = argumentsOf(envelope);
  const questions = [who, ...parents].flatMap((principal) =>
    effects.map((effect): PolicyQuestion => {
      const { risk } = assess(effect, taint.tainted);
      const { tainted } = taint;
      return { who: principal, run, task, tool, effect, risk, tainted, args, promptsInRun };
    }),
  );
  const [first, ...others] = questions;
  if (first === undefined) throw new TypeError("an envelope without an effect");
  return [first, ...others];
}

/** more than any rule wants to look at */
const argumentsMax = 1000;
const argumentCharactersMax = 262_144;

/**
 * Every argument as text by its JSON Pointer (RFC 6901): text as it is, the rest as JSON. Whole or not
 * at all: an argument that a rule cannot see is one that no rule can forbid.
 */
function flattenArguments(args: JsonValue): Readonly<Record<string, string>> {
  const flat: Record<string, string> = {};
  let count = 0;
  let characters = 0;
  const visit = (value: JsonValue, pointer: string): void => {
    if (typeof value === "object" && value !== null) {
      for (const [name, part] of Object.entries(value as JsonObject)) {
        visit(part, `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
      }
      return;
    }
    const text = typeof value === "string" ? value : JSON.stringify(value);
    count += 1;
    characters += text.length;
    if (count > argumentsMax || characters > argumentCharactersMax) {
      throw new RangeError("more arguments than policy looks at");
    }
    flat[pointer] = text;
  };
  visit(args, "");
  return flat;
}

/** Of a write-back rules see the effect's own facts and what stands beside the list of files. */
export function argumentsOf({ effects, args }: ActionEnvelope): Readonly<Record<string, string>> {
  if (effects.some(({ kind }) => kind !== "file-write-back")) return flattenArguments(args);
  const plain = Object.entries(args).filter(([, value]) => typeof value !== "object");
  return flattenArguments(Object.fromEntries(plain));
}
