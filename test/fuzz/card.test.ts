/** Whatever an envelope holds, its card is drawn, is JSON, and hides nothing. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildCard } from "../../src/approvals/card/build-card.ts";
import type { Effect } from "../../src/approvals/effect.ts";
import type { JsonObject } from "../../src/approvals/json.ts";
import { makeSubject } from "../support/envelope.ts";
import { findHidden, hiddenCharacters } from "../support/shown-text.ts";

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 16 }),
  fc.string({ unit: fc.constantFrom(...hiddenCharacters, "a", "\n"), maxLength: 8 }),
);
const count = fc.nat();
const state = fc.oneof(
  fc.constant(null),
  fc.record({ kind: fc.constant("file"), executable: fc.boolean(), size: count, sha256: text }),
  fc.record({ kind: fc.constant("link"), target: text }),
  fc.constant({ kind: "folder" }),
);
const change = fc.record({
  path: text,
  kind: fc.constantFrom("added", "modified", "deleted", "mode", "replaced"),
  before: state,
  after: state,
  binary: fc.boolean(),
  lines: fc.option(fc.record({ added: count, removed: count })),
  flags: fc.array(text),
  conflict: fc.option(text),
});
const effect: fc.Arbitrary<Effect> = fc.oneof(
  fc.record({
    kind: fc.constant("file-write-back" as const),
    ...{ root: text, added: count, modified: count, deleted: count, flags: fc.array(text) },
  }),
  fc.record({ kind: fc.constant("host-command" as const), argv: fc.array(text), cwd: text }),
  fc.record({
    kind: fc.constant("mcp-call" as const),
    ...{ server: text, tool: text, harm: fc.constantFrom("harmless" as const, "unknown" as const) },
    isFirstCall: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("message" as const), channel: text, recipients: fc.array(text) }),
  fc.record({
    kind: fc.constant("network-grant" as const),
    ...{ host: text, port: count, methods: fc.array(text), isFirstContact: fc.boolean() },
  }),
);
const args = fc.oneof(
  fc.dictionary(text, fc.jsonValue({ stringUnit: "binary" })),
  fc.record({ changes: fc.array(change), root: text, command: text, exitCode: fc.integer() }),
) as fc.Arbitrary<JsonObject>;

describe("a card", () => {
  it("of any envelope is drawn, is JSON, and has no character that hides or acts", () => {
    fc.assert(
      fc.property(
        fc.record({
          ...{ who: text, parents: fc.array(text), run: text, task: fc.option(text) },
          ...{ machine: fc.option(text), tool: text, args, says: text },
          effects: fc.array(effect, { minLength: 1, maxLength: 3 }),
          operands: fc.array(fc.record({ name: text, sha256: text, size: count })),
          taint: fc.record({ tainted: fc.boolean(), sources: fc.array(text) }),
        }),
        text,
        (envelope, reason) => {
          const subject = makeSubject();
          const card = buildCard(
            {
              ...subject,
              envelope: { ...subject.envelope, ...envelope },
              verdict: { answer: "ask", rules: [reason], reason },
            },
            { remarks: [reason], grants: [{ scopeKind: "run", usesMax: 1, text: reason }] },
          );
          expect(JSON.parse(JSON.stringify(card))).toEqual(card);
          for (const shown of textsOf(card)) expect(findHidden(shown)).toBeUndefined();
        },
      ),
      { numRuns: 2000 },
    );
  });
});

function textsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(textsOf);
}
