/** Grants as the engine reads them: each is one permit rule, which stands for a person's yes. */
import { renderErrors } from "./cedar.ts";
import type { Cedar } from "./cedar.ts";
import { LuminaGuardError, messageOf } from "../errors.ts";
import type { GrantedRule, Question } from "./question.ts";
import { createRequest } from "./request.ts";
import { RuleIndex } from "./rule-index.ts";
import { parseRule, scopeOf } from "./rule.ts";
import type { Rule } from "./rule.ts";
import { resourceOf, resourceTypes } from "./resource.ts";

/** texts of grants remembered as parsed */
const keptMax = 1_000;

export class GrantedRules {
  readonly #cedar: Cedar;
  readonly #kept = new Map<string, Omit<Rule, "id">>();

  constructor(cedar: Cedar) {
    this.#cedar = cedar;
  }

  /** Raises POLICY_INVALID for a text that is not one permit rule. */
  parse({ id, text }: GrantedRule): Rule {
    const kept = this.#kept.get(text);
    if (kept !== undefined) return { id, ...kept };
    const parsed = parseGrant(this.#cedar, id, text);
    if (this.#kept.size >= keptMax) this.#kept.clear();
    this.#kept.set(text, parsed);
    return { id, ...parsed };
  }

  /** Ids of the grants that cover the question. Throws where one cannot be evaluated. */
  covering(question: Question, grants: readonly Rule[]): readonly string[] {
    const { effect } = question;
    const resource = { type: resourceTypes[effect.kind], id: resourceOf(effect) };
    const { rules: near, args } = new RuleIndex(grants).select(effect.kind, resource);
    if (near.length === 0) return [];
    const answer = this.#cedar.isAuthorized({
      ...createRequest(question, "none", args),
      policies: { staticPolicies: Object.fromEntries(near.map(({ id, text }) => [id, text])) },
    });
    if (answer.type === "failure") throw new Error(renderErrors(answer.errors));
    const [error] = answer.response.diagnostics.errors;
    if (error !== undefined) throw new Error(`grant ${error.policyId}: ${error.error.message}`);
    return answer.response.decision === "allow" ? answer.response.diagnostics.reason.sort() : [];
  }
}

function parseGrant(cedar: Cedar, id: string, text: string): Omit<Rule, "id"> {
  try {
    const json = parseRule(cedar, text);
    if (json.effect !== "permit") throw new LuminaGuardError("POLICY_INVALID", "does not permit");
    return { file: "grant", name: id, effect: "permit", text, line: 1, scope: scopeOf(json) };
  } catch (error) {
    throw new LuminaGuardError("POLICY_INVALID", `grant ${id}: ${messageOf(error)}`, {
      hint: "revoke the grant; until then nothing is allowed",
      cause: error,
    });
  }
}
