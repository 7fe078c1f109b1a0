import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ActionEnvelope } from "../../../../src/approvals/envelope.ts";
import { editCall } from "../../../../src/runtime/cliff/edit-call.ts";
import type { CallEdit } from "../../../../src/runtime/cliff/edit-call.ts";
import { escapeText } from "../../../../src/base/escape-text.ts";
import { makeEnvelope } from "../../../support/envelope.ts";

const open = (more: Partial<ActionEnvelope>): CallEdit | undefined =>
  editCall({ envelope: makeEnvelope(more) }, { command: "", environment: {} }, "");

describe("the arguments of a call", () => {
  it("read back as they are, whatever they hold, and hide nothing from whoever edits them", () => {
    const json = fc.dictionary(
      fc.string({ unit: "grapheme" }),
      fc.jsonValue({ stringUnit: "binary" }),
    );
    fc.assert(
      fc.property(
        json,
        fc.constantFrom("\u202e", "\u200b", "\u009b2J", "\u007f", "\u{1d159}"),
        (args, hidden) => {
          const edit = open({ args: { ...args, hidden: `a${hidden}b` } });
          if (edit === undefined) throw new Error("a call can be edited");
          expect(escapeText(edit.text, { keep: "\n" })).toBe(edit.text);
          // JSON has no minus zero
          const meant: unknown = JSON.parse(JSON.stringify({ ...args, hidden: `a${hidden}b` }));
          expect(JSON.parse(edit.text)).toEqual(meant);
        },
      ),
    );
  });

  it.each([
    ['{ "number": 419 }', { kind: "changed", edit: { args: { number: 419 } } }],
    ['\n{"number":\t4.18e2}', { kind: "same" }],
    ["", { kind: "mistake" }],
    ["{number: 1}", { kind: "mistake" }],
    ["[1]", { kind: "mistake", why: "arguments are one JSON object" }],
    ["null", { kind: "mistake", why: "arguments are one JSON object" }],
    ['{"a":"\\ud800"}', { kind: "mistake" }],
    ['{"a":1e999}', { kind: "mistake" }],
    [`{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`, { kind: "mistake" }],
  ])("%j are what they say, or a mistake", (text, end) => {
    expect(open({ args: { number: 418 } })?.read(text)).toMatchObject(end);
  });

  it("of anything but a call, and of more than a person edits, are not edited", () => {
    const trust = { kind: "policy-change", what: "grant", isWider: true } as const;
    expect(open({ effects: [trust] })).toBeUndefined();
    expect(open({ effects: [...makeEnvelope().effects, trust] })).toBeUndefined();
    expect(open({ args: { text: "x".repeat(1024 ** 2) } })).toBeUndefined();
  });
});
