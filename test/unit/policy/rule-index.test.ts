/** Handing the engine fewer rules changes nothing that anybody sees. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeEngine } from "../../support/policy.ts";
import { anyPolicy, anyQuestion } from "../../support/random-policy.ts";

describe("an index of rules", () => {
  it("never changes a verdict", () => {
    const policy = anyPolicy(fc.constantFrom("permit", "permit", "forbid"));
    const questions = fc.array(anyQuestion, { minLength: 20, maxLength: 20 });
    const seen = { allow: 0, ask: 0, deny: 0 };
    fc.assert(
      fc.property(policy, questions, (text, asked) => {
        // shipped: a policy that the strict check would refuse is no less worth trying
        const files = [{ text, origin: "shipped" as const }];
        const whole = makeEngine(files, { indexed: false });
        const indexed = makeEngine(files);
        for (const question of asked) {
          const verdict = indexed.judge(question, []);
          expect(verdict).toEqual(whole.judge(question, []));
          seen[verdict.answer] += 1;
        }
      }),
      { numRuns: 30 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(5);
  });
});
