import { describe, expect, test } from "vitest";
import { bundleCertificates, findAlternatives } from "../../../src/image/layer-fixes.ts";

describe("findAlternatives", () => {
  test("links a name to the first program of its list that is there", () => {
    const paths = new Set(["usr/bin/mawk", "usr/bin/vim.tiny", "usr/bin/gcc"]);
    const links = new Map(findAlternatives(paths).map(({ path, target }) => [path, target]));
    expect(links.get("usr/bin/awk")).toBe("mawk");
    expect(links.get("usr/bin/vi")).toBe("vim.tiny");
    expect(links.get("usr/bin/cc")).toBe("gcc");
    expect(links.has("usr/bin/vim")).toBe(false);
  });

  test("leaves a name that a package brought", () => {
    expect(
      findAlternatives(new Set(["usr/bin/gcc", "usr/bin/cc"])).some(
        ({ path }) => path === "usr/bin/cc",
      ),
    ).toBe(false);
  });

  test("finds a Java home and libraries that are chosen between", () => {
    const java = "usr/lib/jvm/java-17-openjdk-amd64/bin/java";
    const blas = "usr/lib/x86_64-linux-gnu/blas/libblas.so.3";
    expect(findAlternatives(new Set([java, blas]))).toEqual([
      { path: "usr/bin/java", target: "../lib/jvm/java-17-openjdk-amd64/bin/java" },
      { path: "usr/lib/x86_64-linux-gnu/libblas.so.3", target: "blas/libblas.so.3" },
    ]);
  });

  test("adds nothing to an empty layer", () => {
    expect(findAlternatives(new Set())).toEqual([]);
  });
});

test("certificates are joined by name, each ending its line", () => {
  const texts = new Map([
    ["b", Buffer.from("B\n")],
    ["a", Buffer.from("A")],
  ]);
  expect(bundleCertificates(texts).toString()).toBe("A\nB\n");
});
