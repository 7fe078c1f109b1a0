/** One rule of a policy file, and what can be told about it without asking the engine. */
import { LuminaGuardError } from "../errors.ts";
import { renderErrors } from "./cedar.ts";
import type { Cedar, PolicyJson, TypeAndId } from "./cedar.ts";

export interface Rule {
  /** `FILE:NAME`, such as `balanced.cedar:ask-before-write-back` */
  readonly id: string;
  readonly file: string;
  /** of its `@id("…")`, else its place in the file from 1 */
  readonly name: string;
  readonly effect: "permit" | "forbid";
  /** as it stands in the file, comments between its words included */
  readonly text: string;
  readonly line: number;
  readonly scope: RuleScope;
}

/** For which requests a rule can matter at all. Wider than the truth is allowed, narrower is not. */
export interface RuleScope {
  /** null: of any kind */
  readonly actions: readonly string[] | null;
  /** null: any */
  readonly resource: TypeAndId | null;
  /** arguments its conditions read; null: which ones is known only when it is judged */
  readonly args: readonly string[] | null;
}

/** The rule as the engine reads it. Raises POLICY_INVALID. */
export function parseRule(cedar: Cedar, text: string): PolicyJson {
  const answer = cedar.policyToJson(text);
  if (answer.type === "success") return answer.json;
  throw new LuminaGuardError("POLICY_INVALID", renderErrors(answer.errors));
}

export function scopeOf({ action, resource, conditions }: PolicyJson): RuleScope {
  return { actions: actionsOf(action), resource: onlyOf(resource), args: argsOf(conditions) };
}

function actionsOf(action: PolicyJson["action"]): readonly string[] | null {
  // the schema has no groups of actions, so that "in" means one of these
  if (action.op === "==" && "entity" in action) return [plain(action.entity).id];
  if (action.op !== "in") return null;
  const entities = "entities" in action ? action.entities : [action.entity];
  return entities.map((entity) => plain(entity).id);
}

function onlyOf(resource: PolicyJson["resource"]): TypeAndId | null {
  return resource.op === "==" && "entity" in resource ? plain(resource.entity) : null;
}

function plain(entity: TypeAndId | { readonly __entity: TypeAndId }): TypeAndId {
  return "__entity" in entity ? entity.__entity : entity;
}

/** Keys of `hasTag` and `getTag`, wherever they stand in the conditions. */
function argsOf(conditions: unknown): readonly string[] | null {
  const keys = new Set<string>();
  const visit = (node: unknown): boolean => {
    if (typeof node !== "object" || node === null) return true;
    return Object.entries(node).every(([name, value]: [string, unknown]) => {
      if (name !== "hasTag" && name !== "getTag") return visit(value);
      const { left, right } = value as { readonly left: unknown; readonly right: unknown };
      const key = (right as { readonly Value?: unknown }).Value;
      if (typeof key !== "string") return false;
      keys.add(key);
      return visit(left);
    });
  };
  return visit(conditions) ? [...keys] : null;
}
