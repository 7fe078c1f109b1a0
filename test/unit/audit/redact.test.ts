import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AuditFacts } from "../../../src/audit/audit-entry.ts";
import { redactFacts } from "../../../src/audit/redact.ts";

const canary = "canary-4f1d";
const withheldName = fc.constantFrom(
  "env",
  "ENV",
  "Environment",
  "headers",
  "Headers",
  "environment",
);

describe("what the audit keeps of variables and headers", () => {
  it("is their names", () => {
    expect(
      redactFacts({ a: [{ Env: { B: "x", A: "y" } }], headers: ["k: v"], env: "A=b" }),
    ).toEqual({
      a: [{ Env: ["A", "B"] }],
      headers: { withheld: 1 },
      env: { withheld: 1 },
    });
  });

  it("is never a value, whatever form they have and wherever they stand", () => {
    const value: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constant(canary),
        fc.constant(`NAME=${canary}`),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom("a", "name", "value"), tie("value"), { maxKeys: 3 }),
      ),
    })).value;
    const facts = fc.letrec<{ facts: unknown }>((tie) => ({
      facts: fc.oneof(
        { maxDepth: 4 },
        fc.tuple(withheldName, value).map(([name, held]) => ({ [name]: held })),
        fc.dictionary(fc.constantFrom("x", "y"), tie("facts"), { maxKeys: 2 }),
        fc.tuple(tie("facts")).map(([held]) => ({ list: [held] })),
      ),
    })).facts;
    fc.assert(
      fc.property(facts, (held) => {
        expect(JSON.stringify(redactFacts({ held } as AuditFacts))).not.toContain(canary);
      }),
    );
  });
});
