import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { atLeast } from "../../../src/base/version.ts";
import { findQemu } from "../../../src/vm/backends/qemu/qemu-binary.ts";
import { VerdictCache } from "../../../src/vm/choice/verdict-cache.ts";
import { plantQemu, sayVersion } from "../../support/fake-qemu.ts";
import { makeTempDir } from "../../support/make-tree.ts";

describe("finding QEMU", () => {
  it("takes the first on the search path", async () => {
    using temp = makeTempDir();
    const [one, other] = [join(temp.path, "one"), join(temp.path, "other")];
    plantQemu(one, sayVersion("9.1.0"));
    plantQemu(other, sayVersion("8.0.0"));
    expect(await findQemu("x64", `/nowhere:${one}:${other}`)).toMatchObject({
      path: join(one, "qemu-system-x86_64"),
      version: "9.1.0",
    });
  });

  it("passes by what is no file, and every entry that is no absolute folder", async () => {
    using temp = makeTempDir();
    mkdirSync(join(temp.path, "folder", "qemu-system-x86_64"), { recursive: true });
    plantQemu(join(temp.path, "project"), sayVersion("9.1.0"));
    const before = process.cwd();
    process.chdir(join(temp.path, "project"));
    try {
      const searchPath = `${join(temp.path, "folder")}::.:../project`;
      await expect(findQemu("x64", searchPath)).rejects.toMatchObject({ code: "TOOL_MISSING" });
    } finally {
      process.chdir(before);
    }
  });

  it.each([
    ["x64", "qemu-system-x86_64", "qemu-system-x86"],
    ["arm64", "qemu-system-aarch64", "qemu-system-arm"],
  ] as const)("says what to install on %s when there is none", async (architecture, name, pkg) => {
    await expect(findQemu(architecture, "/nowhere")).rejects.toMatchObject({
      code: "TOOL_MISSING",
      message: `QEMU (${name}) is not installed`,
      hint: `install it: sudo apt-get install ${pkg}`,
    });
  });

  it("refuses one that is too old, and says which is needed", async () => {
    using temp = makeTempDir();
    const path = plantQemu(temp.path, sayVersion("7.1.9"));
    await expect(findQemu("x64", temp.path)).rejects.toMatchObject({
      code: "TOOL_MISSING",
      message: "QEMU 7.1.9 is too old; 7.2.0 is needed",
      details: { path, version: "7.1.9" },
    });
  });

  it("refuses a program that does not say its version", async () => {
    using temp = makeTempDir();
    plantQemu(temp.path, "echo hello");
    await expect(findQemu("x64", temp.path)).rejects.toMatchObject({ code: "TOOL_MISSING" });
  });

  it("asks a binary for its version once, and again when it is another", async () => {
    using temp = makeTempDir();
    const asked = join(temp.path, "asked");
    const count = (): number => readFileSync(asked, "utf8").length;
    const versions = new VerdictCache(join(temp.path, "host.json"));
    plantQemu(temp.path, `printf x >>${asked}\n${sayVersion("9.1.0")}`);
    const first = await findQemu("x64", temp.path, versions);
    expect(await findQemu("x64", temp.path, versions)).toEqual(first);
    expect(count()).toBe(1);
    plantQemu(temp.path, `printf x >>${asked}\n${sayVersion("10.0.0")}`);
    expect((await findQemu("x64", temp.path, versions)).fingerprint).not.toBe(first.fingerprint);
    expect(count()).toBe(2);
  });
});

describe("comparing versions", () => {
  it.each([
    ["7.2.0", "7.2.0", true],
    ["7.2.22", "7.2.3", true],
    ["10.0.0", "9.9.9", true],
    ["7.1.99", "7.2.0", false],
    ["7.2", "7.2.0", true],
    ["", "7.2.0", false],
  ])("%s is at least %s: %s", (version, least, expected) => {
    expect(atLeast(version, least)).toBe(expected);
  });
});
