import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { VerdictCache } from "../../../../src/vm/choice/verdict-cache.ts";
import { makeTempDir } from "../../../support/make-tree.ts";

describe("what was found out about the host", () => {
  it("is there for the next process", async () => {
    using temp = makeTempDir();
    const path = join(temp.path, "cache", "host.json");
    await new VerdictCache(path).set("key", "value");
    expect(await new VerdictCache(path).get("key")).toBe("value");
    expect(await new VerdictCache(path).get("other")).toBeUndefined();
    if (process.platform === "win32") return; // it keeps no such modes
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
  });

  it("is written whole, and leaves nothing beside", async () => {
    using temp = makeTempDir();
    const cache = new VerdictCache(join(temp.path, "host.json"));
    await Promise.all(["a", "b", "c"].map((key) => cache.set(key, key)));
    expect(readdirSync(temp.path)).toEqual(["host.json"]);
    expect(JSON.parse(readFileSync(join(temp.path, "host.json"), "utf8"))).toEqual({
      a: "a",
      b: "b",
      c: "c",
    });
  });

  it.each(["{", "[]", '{"key": 7}', "null", '"text"'])(
    "is nothing where the file says %s",
    async (text) => {
      using temp = makeTempDir();
      const path = join(temp.path, "host.json");
      writeFileSync(path, text);
      expect(await new VerdictCache(path).get("key")).toBeUndefined();
    },
  );

  it("is known to this process where it cannot be written", async () => {
    using temp = makeTempDir();
    writeFileSync(join(temp.path, "file"), "");
    chmodSync(temp.path, 0o500);
    const cache = new VerdictCache(join(temp.path, "file", "host.json"));
    await cache.set("key", "value");
    expect(await cache.get("key")).toBe("value");
  });
});
