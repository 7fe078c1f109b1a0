/** Policies and questions at random, over a world so small that they often meet. */
import fc from "fast-check";
import type { Arbitrary } from "fast-check";
import type { Effect, EffectKind, Question } from "../../src/policy/question.ts";
import { resourceTypes } from "../../src/policy/resource.ts";
import { askAbout, plainEffects } from "./policy.ts";

const kinds = Object.keys(plainEffects) as EffectKind[];
const names = ["a", "b", "shop"];
const keys = ["/repo", "/to", "/a~1b"];
const oneOf = <T>(values: readonly T[]): Arbitrary<T> => fc.constantFrom(...values);

const kind = oneOf(kinds);
const agent = oneOf(names).map((name) => `principal == Agent::"${name}"`);
const action = fc.oneof(
  fc.constant("action"),
  kind.map((each) => `action == Action::"${each}"`),
  fc
    .uniqueArray(kind, { minLength: 1, maxLength: 4 })
    .map((some) => `action in [${some.map((each) => `Action::"${each}"`).join(", ")}]`),
);
const resource = fc.oneof(
  fc.constant("resource"),
  fc.tuple(kind, oneOf(names)).map(([each, name]) => {
    const id = each === "mcp-call" ? `${name}.${name}` : name;
    return `resource == ${resourceTypes[each]}::"${id}"`;
  }),
  kind.map((each) => `resource is ${resourceTypes[each]}`),
  oneOf(names).map((name) => `resource in Host::"${name}"`),
);
const condition = fc.oneof(
  {
    weight: 6,
    arbitrary: oneOf([
      'context.approval == "human"',
      'context.approval == "none"',
      "context.tainted",
      "context.risk >= 2",
      "context.promptsInRun < 3",
      'context has harm && context.harm == "harmless"',
      "resource.hasTag(context.tool)",
    ]),
  },
  // overflows for some, which is an error in a rule that was well formed
  { weight: 1, arbitrary: fc.constant("context.promptsInRun * 4611686018427387904 > 0") },
  fc
    .tuple(oneOf(keys), oneOf(names))
    .map(([key, name]) => `resource.hasTag("${key}") && resource.getTag("${key}") == "${name}"`),
  fc
    .tuple(oneOf(keys), oneOf(names))
    .map(([key, name]) => `resource.hasTag("${key}") && resource.getTag("${key}") like "${name}*"`),
);
const ending = fc
  .array(fc.tuple(oneOf(["when", "unless"]), condition), { maxLength: 2 })
  .map((some) => some.map(([word, each]) => `${word} { ${each} }`).join(" "));

export function anyRule(effect: Arbitrary<"permit" | "forbid">): Arbitrary<string> {
  const principal = fc.oneof(fc.constant("principal"), agent);
  return fc
    .tuple(effect, principal, action, resource, ending)
    .map(([word, who, what, on, when]) => `${word} (${who}, ${what}, ${on}) ${when};`);
}

/** Up to eight rules, beside none or one that lets a person be asked. */
export function anyPolicy(effect: Arbitrary<"permit" | "forbid">): Arbitrary<string> {
  const asks = `permit (principal, action, resource) when { context.approval == "human" };`;
  return fc
    .tuple(fc.array(anyRule(effect), { maxLength: 8 }), oneOf(["", asks]))
    .map(([rules, last]) => [...rules, last].join("\n"));
}

export const anyForbids: Arbitrary<string> = fc
  .array(anyRule(fc.constant("forbid")), { minLength: 1, maxLength: 6 })
  .map((rules) => rules.join("\n"));

const effect: Arbitrary<Effect> = fc
  .tuple(kind, oneOf(names), fc.boolean())
  .map(([each, name, flag]): Effect => {
    const changes = {
      ...{ root: name, argv: [name], host: name, isFirstContact: flag, secret: name },
      ...{ isOwnHost: flag, server: name, tool: name, harm: flag ? "harmless" : "unknown" },
      ...{ repository: name, isForced: flag, channel: name, payee: name },
    };
    const plain = plainEffects[each];
    const fitting = Object.entries(changes).filter(([key]) => key in plain);
    return { ...plain, ...Object.fromEntries(fitting) };
  });

export const anyQuestion: Arbitrary<Question> = fc
  .record({
    effect,
    who: oneOf(names),
    tool: oneOf([...names, ...keys]),
    risk: oneOf(["none", "low", "medium", "high", "critical"] as const),
    tainted: fc.boolean(),
    promptsInRun: fc.nat({ max: 5 }),
    args: fc.dictionary(oneOf(keys), oneOf(names)),
  })
  .map(({ effect: about, ...more }) => askAbout(about, more));
