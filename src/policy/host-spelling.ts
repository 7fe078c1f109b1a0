/**
 * Hosts as a rule spells them. Cedar compares exactly, and a question names a host in lower case and without
 * a dot at its end: a rule that spells it otherwise would never fire, so it is found here and refused.
 */
import type { PolicyJson } from "./cedar.ts";
import { canonicalHost } from "./resource.ts";

/** Each such host in the rule, with the spelling that is compared. */
export function findMisspeltHosts(rule: PolicyJson): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const check = (host: string, right: string): void => {
    if (host !== right) found.set(host, right);
  };
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    const { type, id, left, right, pattern } = node as Readonly<Record<string, unknown>>;
    if (type === "Host" && typeof id === "string") check(id, canonicalHost(id));
    if (isHostFact(left)) for (const text of textsOf(right)) check(text, canonicalHost(text));
    if (isHostFact(right)) for (const text of textsOf(left)) check(text, canonicalHost(text));
    // a part of a name may end with a dot
    if (isHostFact(left)) for (const part of partsOf(pattern)) check(part, part.toLowerCase());
    for (const part of Object.values(node)) visit(part);
  };
  visit(rule);
  return found;
}

/** `context.host`, or `context["host"]`: the two are one. */
function isHostFact(node: unknown): boolean {
  return JSON.stringify(node) === '{".":{"left":{"Var":"context"},"attr":"host"}}';
}

/** A text, or those of a list. */
function textsOf(node: unknown): readonly string[] {
  if (typeof node !== "object" || node === null) return [];
  const { Value: value, Set: values } = node as {
    readonly Value?: unknown;
    readonly Set?: unknown;
  };
  if (Array.isArray(values)) return values.flatMap(textsOf);
  return typeof value === "string" ? [value] : [];
}

/** What stands between the wildcards of a pattern; the engine gives it letter by letter. */
function partsOf(pattern: unknown): readonly string[] {
  if (!Array.isArray(pattern)) return [];
  const letters = pattern.map((each: "Wildcard" | { readonly Literal: string }) =>
    typeof each === "string" ? "\0" : each.Literal,
  );
  return letters.join("").split("\0");
}
