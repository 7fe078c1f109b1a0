/** Why, in one line for a person: the file and the name of each rule that decided. */
import type { Answer } from "./question.ts";

/** rules named in one line; the others are counted */
const namedMax = 3;

const openings: Readonly<Record<Answer, string>> = {
  allow: "allowed by",
  ask: "asked by",
  deny: "forbidden by",
};

/** `asked by balanced.cedar: "ask-before-write-back"`; of a deny by no rule, the kind of effect. */
export function renderReason(answer: Answer, rules: readonly string[], kind = ""): string {
  if (rules.length === 0) return `no rule allows ${kind}`;
  const named = rules.slice(0, namedMax).map(renderRule);
  const more = rules.length > namedMax ? [`${rules.length - namedMax} more`] : [];
  return `${openings[answer]} ${[...named, ...more].join(", ")}`;
}

/** `FILE: "NAME"` of an id. */
export function renderRule(id: string): string {
  const colon = id.indexOf(".cedar:") + ".cedar".length;
  return `${id.slice(0, colon)}: "${id.slice(colon + 1)}"`;
}
