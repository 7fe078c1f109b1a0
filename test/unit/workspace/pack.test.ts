import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packWorkspace } from "../../../src/workspace/pack.ts";
import { scanWorkspace } from "../../../src/workspace/scan.ts";
import { readTar } from "../../../src/workspace/tar-reader.ts";
import { collect, inPieces } from "../../support/guest-tar.ts";
import { makeTempDir, makeTree, readTree, type Tree } from "../../support/make-tree.ts";

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

async function contentsOf(tar: Buffer): Promise<Record<string, string>> {
  const contents: Record<string, string> = {};
  for await (const { name, content } of readTar(inPieces(tar))) {
    contents[name] = (await collect(content)).toString();
  }
  return contents;
}

describe("the packed workspace", () => {
  test("is unpacked by the system's own tar as it was", async () => {
    const tree: Tree = {
      "a.txt": "a",
      run: { run: "#!/bin/sh\n" },
      [`${"long/".repeat(50)}é ü.txt`]: "x".repeat(70000),
      link: { link: `${"t".repeat(120)}/é` },
      empty: null,
      zero: "",
    };
    using temp = makeTempDir();
    makeTree(join(temp.path, "from"), tree);
    const scan = await scanWorkspace(join(temp.path, "from"));
    const { chunks, baseline, lost } = packWorkspace(scan);
    const tar = await collect(chunks);
    makeTree(join(temp.path, "to"), {});
    execFileSync("tar", ["-x", "-C", join(temp.path, "to")], { input: tar });
    expect(readTree(join(temp.path, "to"))).toEqual(tree);
    const listed = execFileSync("tar", ["-tv", "--numeric-owner"], {
      input: tar,
      encoding: "utf8",
    });
    expect(listed.split("\n").filter((line) => line !== "" && !line.includes("1000/1000"))).toEqual(
      [],
    );
    expect(baseline.entries.get("a.txt")).toMatchObject({
      kind: "file",
      size: 1,
      sha256: hashOf("a"),
    });
    expect(baseline.entries.size).toBe(scan.entries.length);
    expect(lost()).toEqual([]);
  });

  test("stays whole when files change while it is read", async () => {
    using temp = makeTempDir();
    const names = ["grows", "shrinks", "vanishes", "becomes-a-link", "becomes-a-folder", "stays"];
    makeTree(temp.path, Object.fromEntries(names.map((name) => [name, "0123456789"])));
    const scan = await scanWorkspace(temp.path);
    const at = (name: string): string => join(temp.path, name);
    appendFileSync(at("grows"), "more");
    truncateSync(at("shrinks"), 4);
    for (const name of ["vanishes", "becomes-a-link", "becomes-a-folder"]) rmSync(at(name));
    symlinkSync("/etc/passwd", at("becomes-a-link"));
    makeTree(at("becomes-a-folder"), {});
    const { chunks, baseline, lost } = packWorkspace(scan);
    const sent = await contentsOf(await collect(chunks));
    expect(sent).toEqual({ grows: "0123456789", shrinks: "0123", stays: "0123456789" });
    expect([...baseline.entries.keys()]).toEqual(["grows", "shrinks", "stays"]);
    expect(baseline.entries.get("shrinks")).toMatchObject({ sha256: hashOf("0123"), size: 4 });
    expect(lost()).toEqual([
      { reason: "unreadable", paths: ["becomes-a-folder", "becomes-a-link", "vanishes"], count: 3 },
    ]);
  });

  test("fills up a file that is cut in the middle of being sent", async () => {
    using temp = makeTempDir();
    const size = 300_000;
    writeFileSync(join(temp.path, "big"), "x".repeat(size));
    const { chunks, baseline } = packWorkspace(await scanWorkspace(temp.path));
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) {
      parts.push(chunk);
      if (parts.length === 2) truncateSync(join(temp.path, "big"), 70_000);
    }
    const { big = "" } = await contentsOf(Buffer.concat(parts));
    expect([big.length, big.replace(/\0+$/, "").length]).toEqual([size, 70_000]);
    expect(baseline.entries.get("big")).toMatchObject({ sha256: hashOf(big) });
  });

  test("is read no faster than it is taken, and stops when the caller gives up", async () => {
    using temp = makeTempDir();
    makeTree(temp.path, { a: "a".repeat(200_000), b: "b" });
    const gaveUp = new AbortController();
    const { chunks, baseline } = packWorkspace(await scanWorkspace(temp.path), {
      signal: gaveUp.signal,
    });
    const iterator = chunks[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.next();
    gaveUp.abort(new Error("mine"));
    await expect(iterator.next()).rejects.toThrow("mine");
    expect(baseline.entries.size).toBe(0);
  });
});
