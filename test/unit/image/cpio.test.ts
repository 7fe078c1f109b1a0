import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeCpio } from "../../../src/image/cpio.ts";
import type { CpioEntry } from "../../../src/image/cpio.ts";
import { readCpio } from "./read-cpio.ts";

const names = fc
  .stringMatching(/^[a-zA-Z0-9._ é-]{1,12}$/)
  .filter((name) => name !== "." && name !== "..");
const file = fc.record({
  name: names,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.nat(70_000),
  content: fc.uint8Array({ maxLength: 40 }),
});
const trees = fc.uniqueArray(
  fc.record({
    folder: names,
    files: fc.uniqueArray(file, { selector: (each) => each.name, maxLength: 4 }),
  }),
  { selector: (each) => each.folder, maxLength: 4 },
);

describe("encodeCpio", () => {
  test("gives an archive that another reader takes apart to the same entries", () => {
    fc.assert(
      fc.property(trees, (tree) => {
        const entries = tree.flatMap(({ folder, files }): CpioEntry[] => [
          { kind: "directory", path: folder },
          ...files.map(({ name, mode, uid, content }): CpioEntry => ({
            kind: "file",
            path: `${folder}/${name}`,
            mode,
            uid,
            content,
          })),
        ]);
        const records = new Map(
          readCpio(encodeCpio(entries)).map((record) => [record.path, record]),
        );
        expect(records.size).toBe(entries.length);
        for (const entry of entries) {
          const record = records.get(entry.path);
          if (entry.kind !== "file") continue;
          expect(record?.mode).toBe(0o100000 | (entry.mode ?? 0));
          expect(record?.uid).toBe(entry.uid);
          expect(record?.content.equals(entry.content)).toBe(true);
        }
      }),
    );
  });

  test("gives the same bytes whatever the order of the entries", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(["b", "a", "c", "a/x", "a/y"], { minLength: 5 }), (paths) => {
        const entries = paths.map((path): CpioEntry => ({ kind: "directory", path }));
        expect(encodeCpio(entries).equals(encodeCpio(entries.toReversed()))).toBe(true);
      }),
    );
  });

  test("stores links, devices, and no time", () => {
    const records = readCpio(
      encodeCpio([
        { kind: "directory", path: "dev" },
        { kind: "character-device", path: "dev/console", major: 5, minor: 1 },
        { kind: "symlink", path: "bin", target: "usr/bin" },
      ]),
    );
    expect(records.map(({ path, mode, mtime, links }) => ({ path, mode, mtime, links }))).toEqual([
      { path: "bin", mode: 0o120777, mtime: 0, links: 1 },
      { path: "dev", mode: 0o040755, mtime: 0, links: 1 },
      { path: "dev/console", mode: 0o020600, mtime: 0, links: 1 },
    ]);
    expect(records[2]?.device).toEqual([5, 1]);
    expect(records[0]?.content.toString()).toBe("usr/bin");
  });

  test("is listed by cpio itself", (context) => {
    const archive = encodeCpio([
      { kind: "directory", path: "a" },
      { kind: "file", path: "a/b", content: Buffer.from("hello") },
    ]);
    const result = spawnSync("cpio", ["-t", "--quiet"], { input: archive, encoding: "utf8" });
    if (result.error !== undefined) context.skip("cpio is not installed");
    expect(result.stdout).toBe("a\na/b\n");
  });

  test.each([
    [[{ kind: "directory", path: "a/b" }], "no folder"],
    [
      [
        { kind: "directory", path: "a" },
        { kind: "directory", path: "a" },
      ],
      "twice",
    ],
    [[{ kind: "directory", path: "../a" }], "cannot be stored"],
    [[{ kind: "directory", path: "" }], "cannot be stored"],
    [
      [
        { kind: "symlink", path: "a", target: "b" },
        { kind: "directory", path: "a/c" },
      ],
      "no folder",
    ],
  ] satisfies [CpioEntry[], string][])("refuses %j", (entries, message) => {
    expect(() => encodeCpio(entries)).toThrow(message);
  });
});
