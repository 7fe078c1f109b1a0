/** Whatever a terminal sends, a key is one character or one of the names, and alone in its chunk. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyDecoder } from "../../src/tui/key-decoder.ts";
import { findHidden } from "../support/shown-text.ts";

const interesting = fc.constantFrom(
  0x1b,
  0x5b,
  0x4f,
  0x41,
  0x52,
  0x61,
  0x0d,
  0x9b,
  0x7e,
  0x3b,
  0x35,
);
const chunk = fc.uint8Array({ maxLength: 12 });
const nasty = fc.array(fc.oneof(interesting, fc.nat(255)), { maxLength: 12 });
const keyNames = /^(enter|tab|backspace|escape|up|down|page-up|page-down|home|end|ctrl-[cdz])$/;

test("no bytes are a key but those of one key", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          chunk,
          nasty.map((n) => Uint8Array.from(n)),
        ),
      ),
      fc.boolean(),
      (chunks, text) => {
        const decoder = new KeyDecoder();
        let [now, deafUntil] = [0, 0];
        for (const each of chunks) {
          now += 50;
          const key = decoder.take(each, now, { text });
          if (now < deafUntil) expect(key).toBeUndefined();
          if (key === undefined || key.name === "escape") deafUntil = now + 100;
          if (key === undefined) continue;
          const said = Buffer.from(each).toString("utf8");
          expect(findHidden(key.text)).toBeUndefined();
          if (key.text === "") expect(key.name).toMatch(keyNames);
          else expect(key.text).toBe(said);
          if (key.text !== "" && !text) expect(Array.from(said)).toHaveLength(1);
        }
      },
    ),
    { numRuns: 20_000 },
  );
});

test("a character that cannot be seen is no key, in whatever class it is", () => {
  for (const code of [0x034f, 0x115f, 0x3164, 0xfe0f, 0x00ad, 0x200b, 0x202e, 0xe0041]) {
    const typed = Buffer.from(String.fromCodePoint(code));
    expect(new KeyDecoder().take(typed, 1000), code.toString(16)).toBeUndefined();
  }
});
