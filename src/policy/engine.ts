/**
 * Policy in Cedar, with three answers. Each question is put twice: what is permitted as it is, is
 * allowed; what is permitted only with a person's yes (`context.approval == "human"`), is asked;
 * all else is denied. A forbid beats every permit, and whatever goes wrong while judging is a deny.
 *
 * A grant stands for the person's yes and for no more: it turns ask into allow, never deny.
 */
import { createHash } from "node:crypto";
import { messageOf } from "../errors.ts";
import { renderErrors } from "./cedar.ts";
import type { Cedar } from "./cedar.ts";
import { GrantedRules } from "./granted-rules.ts";
import { parsePolicyFile } from "./policy-file.ts";
import type { PolicyFile } from "./policy-file.ts";
import type { Effect, GrantedRule, GrantWish, Question, Verdict } from "./question.ts";
import { createRequest } from "./request.ts";
import type { Approval } from "./request.ts";
import { createRuleSet, RuleIndex } from "./rule-index.ts";
import type { RuleSet } from "./rule-index.ts";
import type { Rule } from "./rule.ts";
import { renderReason } from "./reason.ts";
import { resourceOf, resourceTypes } from "./resource.ts";
import { writeGrant } from "./write-grant.ts";

export interface EngineOptions {
  /** text of the Cedar schema */
  readonly schema: string;
  readonly files: readonly PolicyFile[];
  /** hand the engine only the rules that can matter; the answers are the same
   * @default true */
  readonly indexed?: boolean;
}

interface Pass {
  readonly permitted: boolean;
  /** the permits that decided, or the forbids */
  readonly rules: readonly string[];
}

export class CedarEngine {
  /** `sha256:` over the schema and every rule's text, sorted */
  readonly version: string;
  readonly rules: readonly Rule[];
  readonly #cedar: Cedar;
  readonly #index: RuleIndex | undefined;
  readonly #whole: RuleSet;
  readonly #schemaName: string;
  readonly #name: string;
  readonly #grants: GrantedRules;

  /** Raises POLICY_INVALID with every problem of the first file that has one. */
  constructor(cedar: Cedar, { schema, files, indexed = true }: EngineOptions) {
    this.#cedar = cedar;
    this.rules = files.flatMap((file) => parsePolicyFile(cedar, schema, file));
    this.version = nameOf([schema, ...this.rules.map(({ text }) => text).sort()]);
    this.#index = indexed ? new RuleIndex(this.rules) : undefined;
    this.#whole = { ...createRuleSet("all", this.rules), args: null };
    this.#grants = new GrantedRules(cedar);
    this.#schemaName = nameOf([schema]);
    this.#name = nameOf([this.#schemaName, ...this.rules.flatMap(({ id, text }) => [id, text])]);
    prepareOnce(this.#schemaName, (name) => cedar.preparseSchema(name, schema));
  }

  /** Never throws for what a question or a grant holds. */
  judge(question: Question, grants: readonly GrantedRule[]): Verdict {
    try {
      return this.#judge(question, grants);
    } catch (error) {
      return {
        answer: "deny",
        rules: [],
        reason: `denied, as judging failed: ${messageOf(error)}`,
      };
    }
  }

  /** The exact text of the rule that a grant adds. Raises USAGE, GRANT_REFUSED. */
  resourceOf(effect: Effect): string {
    return resourceOf(effect);
  }

  writeGrant(wish: GrantWish): string {
    return writeGrant(wish);
  }

  #judge(question: Question, grants: readonly GrantedRule[]): Verdict {
    const granted = grants.map((grant) => this.#grants.parse(grant));
    const { kind } = question.effect;
    const alone = this.#pass(question, "none");
    if (alone.permitted) {
      return { answer: "allow", rules: alone.rules, reason: renderReason("allow", alone.rules) };
    }
    const withYes = this.#pass(question, "human");
    if (!withYes.permitted) {
      const reason = renderReason("deny", withYes.rules, kind);
      return { answer: "deny", rules: withYes.rules, reason };
    }
    // a forbid that only a person lifts is for a person
    if (alone.rules.length === 0) {
      const covering = this.#grants.covering(question, granted);
      if (covering.length > 0) {
        const reason = `allowed by grant ${covering.join(", ")}`;
        return { answer: "allow", rules: covering, reason };
      }
    }
    const rules = [...alone.rules, ...withYes.rules];
    return { answer: "ask", rules, reason: renderReason("ask", rules) };
  }

  #pass(question: Question, approval: Approval): Pass {
    const set = this.#select(question);
    const answer = this.#cedar.statefulIsAuthorized({
      ...createRequest(question, approval, set.args),
      preparsedPolicySetId: this.#prepare(set),
      preparsedSchemaName: this.#schemaName,
      validateRequest: true,
    });
    if (answer.type === "failure") throw new Error(renderErrors(answer.errors));
    const { decision, diagnostics } = answer.response;
    // the same one, whatever order the engine came upon them in
    const [error] = diagnostics.errors.toSorted((one, other) =>
      one.policyId < other.policyId ? -1 : 1,
    );
    if (error !== undefined) throw new Error(`${error.policyId}: ${error.error.message}`);
    return { permitted: decision === "allow", rules: [...diagnostics.reason].sort() };
  }

  #select({ effect }: Question): RuleSet {
    const resource = { type: resourceTypes[effect.kind], id: resourceOf(effect) };
    return this.#index?.select(effect.kind, resource) ?? this.#whole;
  }

  #prepare({ key, rules }: RuleSet): string {
    return prepareOnce(`${this.#name} ${key}`, (name) => {
      const staticPolicies = Object.fromEntries(rules.map(({ id, text }) => [id, text]));
      return this.#cedar.preparsePolicySet(name, { staticPolicies });
    });
  }
}

/** What the engine keeps for good, by a name that says what it holds: equal policies share it. */
const prepared = new Set<string>();

function prepareOnce(
  name: string,
  prepare: (name: string) => ReturnType<Cedar["preparsePolicySet"]>,
): string {
  if (prepared.has(name)) return name;
  const answer = prepare(name);
  if (answer.type === "failure") throw new Error(renderErrors(answer.errors));
  prepared.add(name);
  return name;
}

function nameOf(parts: readonly string[]): string {
  const hash = createHash("sha256");
  // each with its length, so that two texts are never one
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return `sha256:${hash.digest("hex")}`;
}
