import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDraft } from "../../../../src/approvals/envelope-schema.ts";
import {
  parseShown,
  parseShownArgv,
  showArgv,
  showName,
  showValue,
} from "../../../../src/approvals/card/shown-value.ts";
import { makeEnvelope } from "../../../support/envelope.ts";
import { findHidden, hiddenCharacters } from "../../../support/shown-text.ts";

const hostile = fc.oneof(
  { weight: 20, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
  {
    weight: 20,
    arbitrary: fc.string({
      unit: fc.constantFrom(...hiddenCharacters, "a", " ", "\\", '"'),
      maxLength: 12,
    }),
  },
  {
    weight: 20,
    arbitrary: fc.constantFrom("ls ", " -la", "a\nb\n", "\n", "", "\\u202e", '"\n "'),
  },
  { weight: 1, arbitrary: fc.constant(`true ${" ".repeat(200_000)}; rm -rf ~`) },
);

describe("an argv on a card", () => {
  it("reads back to what is executed, and hides nothing, ten thousand times", () => {
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 6 }), (argv) => {
        const shown = showArgv(argv);
        expect(parseShownArgv(shown)).toEqual(argv);
        expect(findHidden(shown.replaceAll("\n", ""))).toBeUndefined();
      }),
      { numRuns: 10_000 },
    );
  });

  it("is never the same for two", () => {
    const pairs = fc.tuple(
      fc.array(hostile, { maxLength: 3 }),
      fc.array(hostile, { maxLength: 3 }),
    );
    fc.assert(
      fc.property(pairs, ([one, other]) => {
        const isSame = JSON.stringify(one) === JSON.stringify(other);
        expect(showArgv(one) === showArgv(other)).toBe(isSame);
      }),
    );
  });

  it("is one line when it is short, one element a line when it is long", () => {
    expect(showArgv(["git", "push", "origin "])).toBe('["git", "push", "origin "]');
    const words = ["tar", "--create", "x".repeat(60), "a\u202eb\u200b"];
    expect(showArgv(words)).toBe(
      `[\n  "tar",\n  "--create",\n  "${"x".repeat(60)}",\n  "a\\u202eb\\u200b"\n]`,
    );
  });

  it("shows a script line by line", () => {
    expect(showArgv(["sh", "-c", "one\ntwo"])).toBe('[\n  "sh",\n  "-c",\n  "one\\n"\n  "two"\n]');
  });

  it("with half of a character is refused by whoever asks and by whoever reads", () => {
    const argv = ["rm", "a\ud800"];
    expect(() => parseShownArgv(showArgv(argv))).toThrow("not an argv");
    const { who, run, tool } = makeEnvelope();
    const effects = [{ kind: "host-command", argv, cwd: "/" }];
    expect(() => parseDraft({ who, run, tool, args: {}, effects })).toThrow("half of a character");
  });

  it.each(["", "{", '["a"', '{"a":1}', "[1]", '[["a"]]'])("is not read from %j", (text) => {
    expect(() => parseShownArgv(text)).toThrow("as a card shows it");
  });
});

describe("a value on a card", () => {
  it("reads back, whatever it is", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
        const json = JSON.parse(JSON.stringify(value)) as never;
        const lines = showValue(json);
        expect(parseShown(lines.join("\n"))).toEqual(json);
        for (const line of lines) expect(findHidden(line)).toBeUndefined();
      }),
    );
  });

  it("may be as deep as it likes", () => {
    const deep = JSON.parse("[".repeat(1000) + "]".repeat(1000)) as never;
    expect(parseShown(showValue(deep).join("\n"))).toEqual(deep);
  });
});

describe("a name on a card", () => {
  it.each([
    ["src/app.ts", "src/app.ts"],
    ["two words", "two words"],
    ["naïve/日本.txt", "naïve/日本.txt"],
    ["trailing ", '"trailing "'],
    [" leading", '" leading"'],
    ["two  spaces", '"two  spaces"'],
    ["", '""'],
    ["back\\slash", '"back\\\\slash"'],
    ["\\u202e", '"\\\\u202e"'],
    ["a\u202eb", '"a\\u202eb"'],
    ["tag\u{e0041}", '"tag\\udb40\\udc41"'],
  ])("%j stands as %s", (name, shown) => {
    expect(showName(name)).toBe(shown);
  });
});
