import { expect, it } from "vitest";
import { encodeFrame, framePayloadBytesMax, frameTypes } from "../../src/wire/exec-frames.ts";
import { readProjectFile } from "../support/repository.ts";

it("the frames on the wire are these", () => {
  expect(frameTypes).toEqual({
    start: 0x00,
    stdin: 0x01,
    stdinEnd: 0x02,
    signal: 0x03,
    resize: 0x04,
    started: 0x10,
    stdout: 0x11,
    stderr: 0x12,
    exit: 0x13,
    failed: 0x14,
  });
  expect(framePayloadBytesMax).toBe(1_048_576);
});

it("a frame is a type, a length and its payload", () => {
  const frame = encodeFrame(0x11, Buffer.from("hi"));
  expect([...frame]).toEqual([0x11, 0x00, 0x00, 0x00, 0x02, 0x68, 0x69]);
});

it("docs/wire.md has the same frames", () => {
  const rows = [
    ...readProjectFile("docs/wire.md").matchAll(/^\| `0x(\w\w)`[^|]*\|[^|]*\|([^|]+)\|/gm),
  ];
  const documented = rows.map(([, type = "", name = ""]) => [
    Number.parseInt(type, 16),
    name.trim(),
  ]);
  const names = Object.entries(frameTypes).map(([name, type]) => [
    type,
    name === "stdinEnd" ? "stdin end" : name,
  ]);
  expect(documented).toEqual(names);
});
