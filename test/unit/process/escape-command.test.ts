import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeCommand } from "../../../src/process/escape-command.ts";
import { createTail } from "../../../src/process/tail.ts";

/** What a shell makes of the words of many commands, one command a line. */
function askShell(shell: string, commands: readonly (readonly string[])[]): string[][] {
  const script = commands
    .map((words) => `printf '%s\\0' ${escapeCommand(words)}; printf '\\0'`)
    .join("\n");
  const said = execFileSync(shell, [], { input: script, env: { LC_ALL: "C" } }).toString("utf8");
  return said
    .split("\0\0")
    .slice(0, -1)
    .map((line) => line.split("\0"));
}

/** What differs between shells and words: quotes, dollars, globs, options, nothing at all. */
const parts = fc.constantFrom(
  ...[
    "a",
    "-n",
    " ",
    "'",
    '"',
    "\\",
    "$",
    "$HOME",
    "`",
    "*",
    "?",
    "[",
    "~",
    "!",
    "#",
    ";",
    "&",
    "|",
  ],
  ...["<", ">", "(", ")", "{", "}", "%", "=", "é", "日", "\u202e", "%s"],
);
const controls = fc.constantFrom(
  "\n",
  "\t",
  "\u0001",
  "\u001b[31m",
  "\u007f",
  "\u0085",
  "\u009b2",
  "1",
);

function wordsOf(part: fc.Arbitrary<string>): fc.Arbitrary<string[][]> {
  const word = fc.array(part, { minLength: 1, maxLength: 5 }).map((list) => list.join(""));
  return fc.array(fc.array(word, { minLength: 1, maxLength: 4 }), { minLength: 60, maxLength: 60 });
}

describe("a command on one line", () => {
  it("is read by any shell as the words it was", () => {
    fc.assert(
      fc.property(wordsOf(parts), (commands) => {
        expect(askShell("sh", commands)).toEqual(commands);
      }),
      { numRuns: 8 },
    );
  });

  it("with control characters is read by bash as the words it was", () => {
    fc.assert(
      fc.property(wordsOf(fc.oneof(parts, controls)), (commands) => {
        expect(askShell("bash", commands)).toEqual(commands);
      }),
      { numRuns: 8 },
    );
  });

  it("has no control character", () => {
    const words = fc.array(fc.string({ unit: "binary" }));
    fc.assert(
      fc.property(words, (argv) => {
        expect(escapeCommand(argv)).not.toMatch(/\p{Cc}/u);
      }),
    );
  });

  it("is as a person would write it", () => {
    expect(escapeCommand(["cp", "-r", "/a b", "it's", "", "x\ny"])).toBe(
      String.raw`cp -r '/a b' 'it'\''s' '' $'x\x0ay'`,
    );
  });
});

describe("a tail", () => {
  it("is the last bytes of what came, in any chunks", () => {
    const chunks = fc.array(fc.string({ unit: "grapheme-ascii", maxLength: 20 }));
    fc.assert(
      fc.property(chunks, fc.integer({ min: 1, max: 30 }), (texts, bytesMax) => {
        const tail = createTail(bytesMax);
        for (const text of texts) tail.push(Buffer.from(text));
        expect(tail.text()).toBe(texts.join("").slice(-bytesMax));
      }),
    );
  });
});
