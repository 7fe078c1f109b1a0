import { describe, expect, it } from "vitest";
import { KeyDecoder } from "../../../src/tui/key-decoder.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe("keys", () => {
  it.each([
    ["a", "a"],
    ["é", "é"],
    ["\r", "enter"],
    ["\u007f", "backspace"],
    ["\u001b[A", "up"],
    ["\u001bOB", "down"],
    ["\u001b[6~", "page-down"],
    ["\u0003", "ctrl-c"],
    ["\u001b", "escape"],
  ])("%j is %s", (typed, name) => {
    expect(new KeyDecoder().take(bytes(typed), 0)?.name).toBe(name);
  });

  it.each([
    ["two keys at once", "aa"],
    ["a key and Enter", "a\r"],
    ["a pasted word", "approve\r"],
    ["a paste in brackets", "\u001b[200~a\u001b[201~"],
    ["a report of the cursor's place", "\u001b[5;3R"],
    ["an answer of a device", "\u001bP1$r0m\u001b\\"],
    ["a colour", "\u001b]11;rgb:0000/0000/0000\u0007"],
    ["a key with alt", "\u001ba"],
    ["what the terminal is", "\u001b[?62;1;4c"],
    ["a mouse", "\u001b[M !!"],
    ["focus", "\u001b[I"],
    ["half of a character", "\u00c3"],
    ["a control nobody asked for", "\u0001"],
    ["U+009B, which is escape and [ in one", "\u009bA"],
    ["a character that hides", "\u202e"],
    ["nothing", ""],
  ])("%s is no key", (_name, typed) => {
    const chunk = typed === "\u00c3" ? Buffer.from([0xc3]) : bytes(typed);
    expect(new KeyDecoder().take(chunk, 0)).toBeUndefined();
  });

  it.each([
    ["\u001b[5;3", "R"],
    ["\u001b", "a"],
    ["xterm", "a"],
    ["\u001bP1$r", "a"],
  ])("are not what comes right after %j", (first, then) => {
    const decoder = new KeyDecoder();
    decoder.take(bytes(first), 1000);
    expect(decoder.take(bytes(then), 1099)).toBeUndefined();
    expect(decoder.take(bytes(then), 1201)).toEqual({ name: then, text: then });
  });

  it("of a line come together when a line is asked for, and never with a control among them", () => {
    const decoder = new KeyDecoder();
    expect(decoder.take(bytes("not now"), 0, { text: true })).toEqual({
      name: "text",
      text: "not now",
    });
    expect(decoder.take(bytes("yes\r"), 200, { text: true })).toBeUndefined();
    expect(decoder.take(bytes("x".repeat(1001)), 400, { text: true })).toBeUndefined();
  });
});
