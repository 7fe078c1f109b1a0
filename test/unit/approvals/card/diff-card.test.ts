import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diffCardBytesMax, readDiffCard } from "../../../../src/approvals/card/diff-card.ts";
import type { Card } from "../../../../src/approvals/card/card.ts";
import { isLuminaGuardError } from "../../../../src/errors.ts";
import { typeAt } from "../../../support/fake-terminal.ts";
import { findHidden } from "../../../support/shown-text.ts";

const old = {
  action_type: "EditFile",
  description: "Fix the \u202eimports",
  risk_level: "high",
  changes: [
    {
      change_type: "FileEdit",
      summary: "loader",
      details: { path: "src/\u200bloader.py", before: "a\n", after: "b\n" },
    },
    { change_type: "CommandExec", summary: "", details: { command: "sh", args: ["-c", "x "] } },
  ],
  timestamp: "2026-02-01T10:00:00Z",
};

const read = (value: unknown): Card => readDiffCard(Buffer.from(JSON.stringify(value)));

describe("a card of the first LuminaGuard", () => {
  it("shows every field of it", () => {
    const card = read(old);
    expect(card).toMatchObject({ title: "EditFile", risk: "high", face: "red", choices: [] });
    expect(card.says).toEqual(["Fix the \\u{202e}imports"]);
    const shown = JSON.stringify(card.facts);
    for (const part of ["loader.py", "2026-02-01T10:00:00Z", "FileEdit", "CommandExec", "x "]) {
      expect(shown).toContain(part);
    }
    expect(findHidden(JSON.stringify(card))).toBeUndefined();
  });

  it("can never be approved, whatever is typed", async () => {
    const keys = ["a", "A", "enter", "y", "f", "g", "1", "s", ...Array.from("approve"), "enter"];
    expect((await typeAt(read(old), ["end", ...keys])).answer).toEqual({ kind: "no-answer" });
  });

  it.each([
    ["text", Buffer.from("hello")],
    ["bytes that are no text", Buffer.from([0xff, 0xfe])],
    ["another form", Buffer.from("{}")],
    ["a field too many", Buffer.from(JSON.stringify({ ...old, approved: true }))],
    ["a risk of its own", Buffer.from(JSON.stringify({ ...old, risk_level: "fine" }))],
    [
      "too many changes",
      Buffer.from(JSON.stringify({ ...old, changes: Array(1001).fill(old.changes[1]) })),
    ],
    ["too many bytes", Buffer.alloc(diffCardBytesMax + 1, " ")],
    [
      "too deep",
      Buffer.from(
        JSON.stringify(old)
          .replace('"loader"', '"loader","x":1')
          .replace('"a\\n"', `${"[".repeat(100_000)}${"]".repeat(100_000)}`)
          .replace(',"x":1', ""),
      ),
    ],
  ])("is refused when it is %s", (_name, content) => {
    expect(() => readDiffCard(content)).toThrow(
      expect.objectContaining({ code: "ENVELOPE_INVALID" }) as Error,
    );
  });

  it("of any content is a card that hides nothing, or a refusal", () => {
    const text = fc.string({ unit: "binary", maxLength: 12 });
    const change = fc.record({
      ...{ change_type: text, summary: text },
      details: fc.dictionary(text, fc.jsonValue({ stringUnit: "binary" })),
    });
    const any = fc.record({
      ...{ action_type: text, description: text, timestamp: text },
      risk_level: fc.constantFrom("none", "critical"),
      changes: fc.array(change, { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.oneof(any, fc.jsonValue()), (value) => {
        try {
          const card = read(value);
          expect(card.choices).toEqual([]);
          expect(findHidden(JSON.stringify(card))).toBeUndefined();
        } catch (error) {
          if (!isLuminaGuardError(error, "ENVELOPE_INVALID")) throw error;
        }
      }),
    );
  });
});
