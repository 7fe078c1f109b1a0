/** Cases of a policy: questions with the answers a person expects, in a JSON file. */
import * as v from "valibot";
import { LuminaGuardError, messageOf } from "../errors.ts";
import { completeQuestion, questionInvalid, writtenQuestionSchema } from "./parse-question.ts";
import type { Assess } from "./parse-question.ts";
import type { Answer, GrantedRule, Question, Verdict } from "./question.ts";

export interface PolicyCase {
  readonly name: string;
  readonly question: Question;
  readonly expect: Answer;
  /** name or id of a rule that has to be among those that decided */
  readonly rule: string | undefined;
}

export interface CaseResult extends Pick<PolicyCase, "name" | "expect" | "rule"> {
  readonly verdict: Verdict;
  readonly passed: boolean;
}

const casesSchema = v.pipe(
  v.array(
    v.strictObject({
      name: v.string(),
      question: writtenQuestionSchema,
      expect: v.picklist(["allow", "ask", "deny"]),
      rule: v.optional(v.string()),
    }),
  ),
  v.minLength(1, "there is no case"),
);

/** An array of `{ name, question, expect, rule? }`. Raises USAGE, naming the field. */
export function parseCases(text: string, assess: Assess): readonly PolicyCase[] {
  const result = v.safeParse(casesSchema, parseJson(text));
  if (!result.success) throw questionInvalid(result.issues[0], "the cases");
  return result.output.map(({ name, question, expect, rule }) => {
    return { name, question: completeQuestion(question, assess), expect, rule };
  });
}

/** JSON that a person wrote. Raises USAGE. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new LuminaGuardError("USAGE", `not JSON: ${messageOf(error)}`, { cause: error });
  }
}

interface Judge {
  readonly judge: (question: Question, grants: readonly GrantedRule[]) => Verdict;
}

export function runCase(engine: Judge, { name, question, expect, rule }: PolicyCase): CaseResult {
  const verdict = engine.judge(question, []);
  const named = verdict.rules.some((id) => id === rule || id.endsWith(`:${rule ?? ""}`));
  const passed = verdict.answer === expect && (rule === undefined || named);
  return { name, expect, rule, verdict, passed };
}
