import { statSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyChanges } from "../../../src/workspace/apply.ts";
import { ChangeStore } from "../../../src/workspace/change-store.ts";
import { receiveChanges, type ReceivedChanges } from "../../../src/workspace/receive.ts";
import { readTar } from "../../../src/workspace/tar-reader.ts";
import { encodeTarHeader } from "../../../src/workspace/tar-writer.ts";
import { makeExchange } from "../../support/exchange.ts";
import { inPieces, makeTar, tarOf, treeEntries, type GuestEntry } from "../../support/guest-tar.ts";
import { makeTempDir, makeTree, readTree, type Tree } from "../../support/make-tree.ts";

/** Applies all of what a guest sent into a workspace beside a canary; the canary must stay alone and whole. */
async function besiege(
  host: Tree,
  entries: readonly GuestEntry[],
): Promise<{ tree: Record<string, unknown>; received: ReceivedChanges }> {
  using exchange = makeExchange(host);
  const canary: Tree = { "canary.txt": "alive", id_rsa: "secret" };
  makeTree(join(exchange.base, "canary"), canary);
  const received = await exchange.run(entries);
  if (received.set !== undefined) {
    const options = { stateDir: exchange.stateDir, store: exchange.store };
    await applyChanges(received.set.id, { ...options, choice: { kind: "all" } }).catch(
      () => undefined,
    );
  }
  expect(readTree(join(exchange.base, "canary"))).toEqual(canary);
  expect(
    Object.keys(readTree(exchange.base)).filter(
      (path) => !/^(canary|project|state)(\/|$)/.test(path),
    ),
  ).toEqual([]);
  return { tree: exchange.tree(), received };
}

const file = (name: string, content = "evil"): GuestEntry => ({ name, mode: 0o644, content });

describe("a hostile tree", () => {
  test.each([
    ["../escape", '".." in the path'],
    ["a/../../escape", '".." in the path'],
    ["..", '".." in the path'],
    ["/etc/escape", "absolute path"],
    ["//etc/escape", "absolute path"],
    ["a//b", "empty name"],
    ["a/./b", '"." in the path'],
    ["a\\..\\b", "backslash in the name"],
    ["C:\\x", "backslash in the name"],
    ["a\nb", "control character in the name"],
    ["a\u001b[2Jb", "control character in the name"],
    ["x/".repeat(130) + "x", "too deep"],
    ["y".repeat(256), "name too long"],
    [".luminaguard-apply-0123/old/1", "a name of LuminaGuard's own"],
  ])("has no way out by the name %j", async (name, reason) => {
    const { tree, received } = await besiege({}, [file("good.txt"), file(name)]);
    expect(received.refused.map((refusal) => refusal.reason)).toEqual([reason]);
    expect(tree).toEqual({ "good.txt": "evil" });
  });

  test.each(["../canary", "/etc", "../../../../etc", "sub/../../x"])(
    "has no way out through a link to %s",
    async (linkname) => {
      const link: GuestEntry = { name: "way", type: "symlink", linkname };
      const { tree, received } = await besiege({}, [link]);
      expect(received.set?.changes[0]?.flags).toEqual(["link out of the tree"]);
      expect(tree).toEqual({ way: { link: linkname } });
      await expect(besiege({}, [link, file("way/canary.txt")])).rejects.toMatchObject({
        code: "CHANGES_HOSTILE",
      });
    },
  );

  test("has no way out through a link that the host has", async () => {
    const host = { way: { link: "../canary" }, "a.txt": "a" };
    await expect(
      besiege(host, [...treeEntries(host), file("way/canary.txt")]),
    ).rejects.toMatchObject({ code: "CHANGES_HOSTILE" });
    const { tree } = await besiege(host, [file("a.txt", "a"), file("way/canary.txt")]);
    // the link is deleted and a folder of that name made in one go: inside the workspace
    expect(tree).toEqual({ "a.txt": "a", "way/canary.txt": "evil" });
  });

  test.each([
    ["link", "hard link"],
    ["character-device", "device"],
    ["block-device", "device"],
    ["fifo", "named pipe"],
    ["contiguous-file", "unknown kind"],
  ] as const)("of a %s is refused and the rest is taken", async (type, reason) => {
    const entry: GuestEntry = { name: "thing", type, linkname: "/etc/passwd", size: 0 };
    const { tree, received } = await besiege({}, [entry, file("good.txt")]);
    expect(received.refused).toEqual([{ path: "thing", reason }]);
    expect(tree).toEqual({ "good.txt": "evil" });
  });

  test.each(["", "a\u0007b", "x".repeat(5000)])(
    "with a link to %j is refused, and deletes nothing",
    async (linkname) => {
      using exchange = makeExchange({ way: "w" });
      const header = { kind: "link", path: "way", target: linkname, mode: 0o777, size: 0 } as const;
      const tar = [encodeTarHeader({ ...header, mtimeMs: 0, uid: 0, gid: 0 }), Buffer.alloc(1024)];
      const { set, refused } = await exchange.run(Buffer.concat(tar));
      expect(set).toBeUndefined();
      expect(refused).toEqual([{ path: "way", reason: "link with an unusable target" }]);
    },
  );

  test("that replaces a file by a device does not delete the file", async () => {
    const host = { "a.txt": "a", "d/b.txt": "b" };
    const device = { type: "block-device", size: 0 } as const;
    const { tree } = await besiege(host, [
      { name: "a.txt", ...device },
      { name: "d", ...device },
    ]);
    expect(tree).toEqual(host);
  });

  test("loses set-id and sticky bits, and it is said", async () => {
    using exchange = makeExchange({});
    const { set, refused } = await exchange.run([{ name: "su", mode: 0o6755, content: "x" }]);
    expect(set?.changes[0]?.flags).toEqual(["executable"]);
    expect(refused).toEqual([{ path: "su", reason: "setuid, setgid or sticky bit (taken off)" }]);
    const { stateDir, store } = exchange;
    await applyChanges(set?.id ?? "", { stateDir, store, choice: { kind: "all" } });
    expect(statSync(join(exchange.root, "su")).mode & 0o7000).toBe(0);
  });

  test.each([
    ".git",
    ".GIT",
    ".Git",
    ".git.",
    ".git ",
    "GIT~1",
    ".g\u200cit",
    ".git::$INDEX_ALLOCATION",
  ])("touches nothing below %j", async (name) => {
    const entries = [
      file(`${name}/hooks/pre-commit`),
      file(`sub/${name}/config`),
      file("good.txt"),
    ];
    const { tree, received } = await besiege({ ".git/HEAD": "ref: refs/heads/main\n" }, entries);
    expect(tree).toEqual({ ".git/HEAD": "ref: refs/heads/main\n", "good.txt": "evil" });
    expect(received.refused).toEqual([
      { path: ".git", reason: "nothing below it is applied (2 changed)" },
    ]);
  });

  test("a .git that becomes a file or a link is not applied either", async () => {
    const host = { ".git/HEAD": "ref: refs/heads/main\n" };
    const { tree } = await besiege(host, [file(".git", "gitdir: /evil")]);
    expect(tree).toEqual(host);
    expect((await besiege(host, [{ name: ".git", type: "symlink", linkname: "x" }])).tree).toEqual(
      host,
    );
  });

  test("names that some hosts take for one are refused, but for those the host has", async () => {
    const { received, tree } = await besiege({ Readme: "r", "same/A": "1", "same/a": "2" }, [
      ...[file("Readme", "r"), file("README"), file("same/A"), file("same/a", "2")],
      ...[file("caf\u00e9"), file("cafe\u0301"), file("Sub/x"), file("sub/y")],
    ]);
    expect(received.refused.map(({ path }) => path)).toEqual(["README", "caf\u00e9", "sub/y"]);
    expect(Object.keys(tree).sort()).toEqual(["Readme", "Sub/x", "cafe\u0301", "same/A", "same/a"]);
  });

  test("one name twice, a file below a file, and half a stream are hostile", async () => {
    const hostile = { code: "CHANGES_HOSTILE" };
    await expect(besiege({}, [file("a"), file("a")])).rejects.toMatchObject(hostile);
    await expect(besiege({}, [file("a"), file("a/b")])).rejects.toMatchObject(hostile);
    const whole = await tarOf({ "a.txt": "a", "b.txt": "b" });
    for (const length of [0, 100, 512, 600, 1024, 2048, whole.length - 512, whole.length - 1]) {
      using exchange = makeExchange({ "a.txt": "a", "b.txt": "b" });
      await expect(exchange.run(whole.subarray(0, length)), String(length)).rejects.toMatchObject(
        hostile,
      );
      expect(await exchange.store.list()).toEqual([]);
    }
  });
});

describe("the bounds", () => {
  async function receive(
    tar: AsyncIterable<Uint8Array>,
    limits: object,
    stateDir: string,
  ): Promise<unknown> {
    const store = new ChangeStore(stateDir);
    const big = { kind: "file", mode: 0o644, size: 5, sha256: "0".repeat(64), mtimeMs: 0 } as const;
    const baseline = { root: join(stateDir, "root"), entries: new Map([["big", big]]) };
    const received = await receiveChanges(tar, { baseline, store, command: "x", limits }).catch(
      (error: unknown) => error,
    );
    expect(readTree(stateDir)).toEqual({ changes: null });
    return received;
  }

  test.each([
    ["entries", { entriesMax: 1 }],
    ["content", { bytesMax: 3 }],
    ["changed content", { changedBytesMax: 3 }],
    ["names", { nameBytesMax: 1 }],
  ])("of %s end it and leave nothing behind", async (_, limits) => {
    using temp = makeTempDir();
    const tar = await tarOf({ a: "12", b: "34" });
    expect(await receive(inPieces(tar), limits, temp.path)).toMatchObject({ code: "WIRE_LIMIT" });
  });

  test("hold for a stream that never ends, in little memory", async () => {
    using temp = makeTempDir();
    const facts = { mode: 0o644, mtimeMs: 0, uid: 0, gid: 0 };
    const header = encodeTarHeader({ kind: "file", path: "big", size: 10 * 1024 ** 3, ...facts });
    let sent = 0;
    async function* flood(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(header);
      const chunk = Buffer.alloc(65536, 1);
      for (; ; sent += chunk.length) yield chunk;
    }
    const limits = { bytesMax: Number.MAX_SAFE_INTEGER, changedBytesMax: 8 * 1024 ** 2 };
    expect(await receive(flood(), limits, temp.path)).toMatchObject({ code: "WIRE_LIMIT" });
    expect(sent).toBeLessThan(1024 ** 2);
  });

  test("of a header hold, whatever size it announces", async () => {
    const extended = (await makeTar([{ name: "é", content: "x" }])).subarray(0, 512);
    const huge = Buffer.from(extended);
    huge.write("77777777777", 124, "latin1");
    huge.fill(" ", 148, 156);
    huge.write(
      huge
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0") + "\0 ",
      148,
      "latin1",
    );
    async function* flood(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(huge);
      throw new Error("it read on");
    }
    await expect(readTar(flood()).next()).rejects.toMatchObject({ code: "CHANGES_HOSTILE" });
  });
});

describe("any guest", { timeout: 60_000 }, () => {
  const segment = fc.oneof(
    fc.constantFrom(
      "a",
      "b",
      "A",
      "..",
      ".",
      "",
      ".git",
      "way",
      "con",
      "a\\b",
      "é",
      "e\u0301",
      "x.sh",
      ".env",
    ),
    fc.string({ maxLength: 4 }),
  );
  const name = fc
    .array(segment, { minLength: 1, maxLength: 4 })
    .map((segments) => segments.join("/"));
  const target = fc.oneof(name, fc.constantFrom("../canary", "/etc/passwd", "..", "way"));
  const entry: fc.Arbitrary<GuestEntry> = fc.record({
    name: fc.oneof(
      name,
      name.map((path) => `/${path}`),
    ),
    type: fc.constantFrom("file", "directory", "symlink", "link", "fifo", "block-device"),
    linkname: target,
    mode: fc.nat({ max: 0o7777 }),
  });

  test("touches nothing outside the workspace, whatever it names", async () => {
    const host: Tree = { "a/x": "x", b: "b", way: { link: "../canary" }, "x.sh": { run: "x" } };
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 8 }), async (entries) => {
        const sized = entries.map((one) =>
          one.type === "file" ? { ...one, content: "evil" } : { ...one, size: 0 },
        );
        await besiege(host, sized).catch((error: unknown) => {
          if ((error as { code?: string }).code !== "CHANGES_HOSTILE") throw error;
        });
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  test("gets the same answer however its bytes are cut", async () => {
    const guest: Tree = {
      "a/long/one.txt": "x".repeat(3000),
      é: "e",
      b: { run: "b" },
      l: { link: "é" },
    };
    const tar = await tarOf(guest);
    const read = async (pieces: readonly number[]): Promise<unknown> => {
      const seen: unknown[] = [];
      for await (const { content, ...item } of readTar(inPieces(tar, pieces))) {
        const parts: Uint8Array[] = [];
        for await (const part of content) parts.push(part);
        seen.push({ ...item, text: Buffer.concat(parts).toString() });
      }
      return seen;
    };
    const whole = await read([tar.length]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1 }),
        async (pieces) => {
          expect(await read(pieces)).toEqual(whole);
        },
      ),
      { numRuns: 50, seed: 7 },
    );
  });
});
