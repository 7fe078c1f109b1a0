import fc from "fast-check";
import { expect, test } from "vitest";
import { readInitramfs } from "../../../src/bench/floor/read-initramfs.ts";
import { encodeCpio } from "../../../src/image/cpio.ts";

test("gives the files that were written, whatever their size", () => {
  const contents = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(contents, (files) => {
      const bytes = encodeCpio([
        { kind: "directory", path: "d" },
        ...files.map((content, index) => ({ kind: "file" as const, path: `d/${index}`, content })),
      ]);
      const read = readInitramfs(bytes);
      expect([...read.keys()]).toEqual(files.map((_content, index) => `d/${index}`));
      expect([...read.values()].map((content) => [...content])).toEqual(
        files.map((one) => [...one]),
      );
    }),
  );
});

test("refuses what has no end", () => {
  const bytes = encodeCpio([{ kind: "file", path: "f", content: Buffer.from("x") }]);
  expect(() => readInitramfs(bytes.subarray(0, 130))).toThrow("has no end");
  expect(() => readInitramfs(Buffer.alloc(0))).toThrow("has no end");
});
