/** Any bytes as a policy file are rules or a refusal that says where; never a crash. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { LuminaGuardError } from "../../src/errors.ts";
import { parsePolicyFile } from "../../src/policy/policy-file.ts";
import type { PolicyProblem } from "../../src/policy/policy-file.ts";
import { cedar, schema } from "../support/policy.ts";
import { anyForbids } from "../support/random-policy.ts";

const words = fc.constantFrom(
  ...["permit", "forbid", "(", ")", "principal", "action", "resource", ",", "when", "{", "}", ";"],
  ...[
    "==",
    '"',
    "//",
    "\n",
    "\r",
    '@id("a")',
    "context.",
    "\\",
    "\0",
    "🙂",
    "é",
    "?principal",
    "in",
  ],
);
const damaged = fc
  .tuple(anyForbids, fc.nat({ max: 400 }), fc.nat({ max: 20 }), fc.string({ unit: "binary" }))
  .map(([text, at, cut, more]) => text.slice(0, at) + more + text.slice(at + cut));
const texts = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => new TextDecoder().decode(bytes)),
  fc.string({ unit: "binary" }),
  fc.array(words, { maxLength: 40 }).map((some) => some.join(" ")),
  damaged,
);

it("any text is rules in their places, or POLICY_INVALID", () => {
  const seen = { rules: 0, refused: 0 };
  fc.assert(
    fc.property(texts, fc.constantFrom("user", "repository"), (text, origin) => {
      try {
        const rules = parsePolicyFile(cedar, schema, { name: "f", text, origin });
        for (const rule of rules) expect(text).toContain(rule.text);
        if (origin === "repository")
          expect(rules.map(({ effect }) => effect)).not.toContain("permit");
        seen.rules += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(LuminaGuardError);
        expect(error).toMatchObject({ code: "POLICY_INVALID" });
        const problems = (error as LuminaGuardError).details["problems"] as PolicyProblem[];
        expect(problems.length).toBeGreaterThan(0);
        seen.refused += 1;
      }
    }),
    { numRuns: 1500 },
  );
  expect(Math.min(seen.rules, seen.refused)).toBeGreaterThan(20);
});
