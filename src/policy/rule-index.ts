/**
 * Which rules can matter to a request. The engine walks every rule it is handed, so that it is handed
 * few: those of the action, and of the one resource a rule may name. There are at most as many sets
 * as rules that name a resource, and one for each action.
 */
import type { EffectKind } from "./question.ts";
import type { Rule } from "./rule.ts";

export interface RuleSet {
  /** the same for the same rules of one index */
  readonly key: string;
  readonly rules: readonly Rule[];
  /** arguments that any of the rules reads; null: all */
  readonly args: readonly string[] | null;
}

export class RuleIndex {
  readonly #rules: readonly Rule[];
  readonly #sets = new Map<string, RuleSet>();
  /** resources that a rule names, `TYPE::ID` */
  readonly #named: ReadonlySet<string>;

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
    this.#named = new Set(rules.flatMap(({ scope }) => keyOf(scope.resource) ?? []));
  }

  /** The rules for an action on a resource of that type and id. */
  select(action: EffectKind, resource: { readonly type: string; readonly id: string }): RuleSet {
    const name = keyOf(resource);
    const named = name !== null && this.#named.has(name) ? name : null;
    const key = `${action} ${named ?? "*"}`;
    const kept = this.#sets.get(key);
    if (kept !== undefined) return kept;
    const set = createRuleSet(
      key,
      this.#rules.filter(({ scope }) => {
        if (scope.actions !== null && !scope.actions.includes(action)) return false;
        return scope.resource === null || keyOf(scope.resource) === named;
      }),
    );
    this.#sets.set(key, set);
    return set;
  }
}

export function createRuleSet(key: string, rules: readonly Rule[]): RuleSet {
  const args = new Set<string>();
  for (const { scope } of rules) {
    if (scope.args === null) return { key, rules, args: null };
    for (const name of scope.args) args.add(name);
  }
  return { key, rules, args: [...args] };
}

function keyOf(resource: { readonly type: string; readonly id: string } | null): string | null {
  return resource && `${resource.type}::${resource.id}`;
}
