import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  digestOf,
  encodeManifest,
  isImageDigest,
  parseManifest,
} from "../../../src/image/manifest.ts";
import { makeManifest } from "./make-image.ts";

describe("a manifest", () => {
  test("has one digest, whatever the order of its keys", () => {
    const manifest = makeManifest();
    const turned = Object.fromEntries(Object.entries(manifest).toReversed()) as typeof manifest;
    expect(encodeManifest(turned).equals(encodeManifest(manifest))).toBe(true);
    expect(digestOf(encodeManifest(manifest))).toBe(
      "sha256-ed49f8ecf7db718e5a1e9013aa7520f2a8d9ed69127ff33882948092602801c3",
    );
  });

  test("comes back as it was written", () => {
    const manifest = makeManifest();
    expect(parseManifest(encodeManifest(manifest))).toEqual(manifest);
  });

  test.each([
    ["not JSON", Buffer.from("{")],
    ["not UTF-8", Buffer.from([0x22, 0xff, 0x22])],
    ["another schema", encodeManifest({ ...makeManifest(), schema: 2 as 1 })],
    ["an unknown key", encodeManifest({ ...makeManifest(), ...{ more: 1 } })],
    ["a path that leaves the image", encodeManifest(makeManifest({ "../x": "x" }))],
    ["an absolute path", encodeManifest(makeManifest({ "/x": "x" }))],
    ["no object", Buffer.from("null")],
  ])("is IMAGE_INVALID with %s", (_what, bytes) => {
    expect(() => parseManifest(bytes)).toThrow(expect.objectContaining({ code: "IMAGE_INVALID" }));
  });

  test("never fails otherwise", () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(() => parseManifest(Buffer.from(json))).toThrow(
          expect.objectContaining({ code: "IMAGE_INVALID" }),
        );
      }),
    );
  });
});

test("a digest is 64 lower-case hex digits and nothing else", () => {
  expect(isImageDigest(`sha256-${"a".repeat(64)}`)).toBe(true);
  for (const text of [
    "sha256-",
    `sha256-${"A".repeat(64)}`,
    `sha256-${"a".repeat(64)}/..`,
    "base",
  ]) {
    expect(isImageDigest(text)).toBe(false);
  }
});
