import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isLuminaGuardError } from "../../../src/errors.ts";
import { applyChanges, type ApplyOptions } from "../../../src/workspace/apply.ts";
import { lockWorkspace } from "../../../src/workspace/workspace-lock.ts";
import { makeExchange, type Exchange } from "../../support/exchange.ts";
import { makeTempDir, makeTree, readTree, type Tree } from "../../support/make-tree.ts";

const all = { kind: "all" } as const;

function optionsOf(exchange: Exchange, more: Partial<ApplyOptions> = {}): ApplyOptions {
  return { stateDir: exchange.stateDir, store: exchange.store, choice: all, ...more };
}

async function idOf(exchange: Exchange, guest: Tree): Promise<string> {
  return (await exchange.run(guest)).set?.id ?? "no set";
}

function details(error: unknown): unknown {
  return isLuminaGuardError(error, "CHANGES_CONFLICT") ? error.details["conflicts"] : error;
}

describe("applying a change set", () => {
  test("makes the workspace what the guest had, and forgets the set", async () => {
    using exchange = makeExchange({
      "a.txt": "a",
      "gone/deep/x.txt": "x",
      "file-then-folder": "f",
      "folder-then-file/x": "x",
      "run.sh": "r",
      link: { link: "a.txt" },
      empty: null,
    });
    const guest: Tree = {
      "a.txt": "A",
      "new/deep/y.txt": "y",
      "file-then-folder/x": "x",
      "folder-then-file": "f",
      "run.sh": { run: "r" },
      link: { link: "run.sh" },
      other: null,
    };
    const id = await idOf(exchange, guest);
    const { applied, remaining } = await applyChanges(id, optionsOf(exchange));
    expect(exchange.tree()).toEqual(guest);
    expect(applied).toContain("new/deep/y.txt");
    expect(remaining).toBeUndefined();
    expect(await exchange.store.list()).toEqual([]);
    expect(readdirSync(join(exchange.stateDir, "applies"))).toEqual([]);
  });

  test("by default leaves what is flagged, which stays kept", async () => {
    using exchange = makeExchange({ "a.txt": "a" });
    const id = await idOf(exchange, { "a.txt": "A", ".github/workflows/x.yml": "on: push" });
    const { remaining } = await applyChanges(id, {
      ...optionsOf(exchange),
      choice: { kind: "unflagged" },
    });
    expect(exchange.tree()).toEqual({ "a.txt": "A" });
    expect(remaining?.changes.map(({ path }) => path)).toEqual([".github/workflows/x.yml"]);
    expect(await exchange.store.get(id)).toEqual(remaining);
    await applyChanges(id, optionsOf(exchange));
    expect(exchange.tree()[".github/workflows/x.yml"]).toBe("on: push");
  });

  test("takes what was approved, and nothing when the kept set was edited since", async () => {
    using exchange = makeExchange({});
    const id = await idOf(exchange, { "a.txt": "A", "b.txt": "B" });
    const { root, changes } = await exchange.store.get(id);
    const shown = { root, removedFolders: [], changes: changes.slice(0, 1) };
    const approved = { kind: "approved", ...shown } as const;
    const swapped = changes.map((change) => ({ ...change, after: changes[1]!.after }));
    await exchange.store.settle({ ...(await exchange.store.get(id)), changes: swapped });
    await expect(
      applyChanges(id, { ...optionsOf(exchange), choice: approved }),
    ).rejects.toMatchObject({ code: "APPLY_FAILED" });
    expect(exchange.tree()).toEqual({});
    await exchange.store.settle({ ...(await exchange.store.get(id)), changes });
    const elsewhere = { ...approved, root: exchange.base };
    await expect(
      applyChanges(id, { ...optionsOf(exchange), choice: elsewhere }),
    ).rejects.toMatchObject({ code: "APPLY_FAILED" });
    await applyChanges(id, { ...optionsOf(exchange), choice: approved });
    expect(exchange.tree()).toEqual({ "a.txt": "A" });
  });

  test.each(["../outside", ".git", "/outside"])("never removes the folder %s", async (folder) => {
    using exchange = makeExchange({ "a.txt": "a", ".git": null });
    mkdirSync(join(exchange.base, "outside"));
    const id = await idOf(exchange, { "a.txt": "A", ".git": null });
    const set = { ...(await exchange.store.get(id)), removedFolders: [folder] };
    await exchange.store.settle(set);
    for (const choice of [all, { ...set, kind: "approved" }] as const) {
      await expect(applyChanges(id, optionsOf(exchange, { choice }))).rejects.toMatchObject({
        code: "APPLY_FAILED",
      });
    }
    expect(exchange.tree()).toEqual({ "a.txt": "a", ".git": null });
    expect(readdirSync(exchange.base)).toContain("outside");
  });

  test("removes no folder that was approved and that the kept set does not name", async () => {
    using exchange = makeExchange({ "a.txt": "a", d: null });
    const id = await idOf(exchange, { "a.txt": "A", d: null });
    const { root, changes } = await exchange.store.get(id);
    const choice = { kind: "approved", root, changes, removedFolders: ["d"] } as const;
    await expect(applyChanges(id, optionsOf(exchange, { choice }))).rejects.toMatchObject({
      code: "APPLY_FAILED",
    });
    expect(exchange.tree()).toEqual({ "a.txt": "a", d: null });
  });

  test("takes exactly the paths that are named, flagged or not", async () => {
    using exchange = makeExchange({});
    const id = await idOf(exchange, { "a.txt": "A", "b.txt": "B", "c.sh": { run: "c" } });
    const choice = { kind: "paths", paths: ["c.sh", "a.txt"] } as const;
    const { applied } = await applyChanges(id, optionsOf(exchange, { choice }));
    expect(applied).toEqual(["a.txt", "c.sh"]);
    expect(exchange.tree()).toEqual({ "a.txt": "A", "c.sh": { run: "c" } });
    const unknown = { kind: "paths", paths: ["a.txt"] } as const;
    await expect(applyChanges(id, optionsOf(exchange, { choice: unknown }))).rejects.toMatchObject({
      code: "USAGE",
    });
  });

  test("keeps the permissions a file had, but for the executable bit", async () => {
    using exchange = makeExchange({ "a.txt": "a", "b.sh": { run: "b" } });
    chmodSync(join(exchange.root, "a.txt"), 0o640);
    chmodSync(join(exchange.root, "b.sh"), 0o750);
    const id = await idOf(exchange, { "a.txt": { run: "A" }, "b.sh": "B" });
    await applyChanges(id, optionsOf(exchange));
    const mode = (name: string): number => statSync(join(exchange.root, name)).mode & 0o7777;
    expect(mode("a.txt").toString(8)).toBe("750");
    expect(mode("b.sh").toString(8)).toBe("640");
  });

  test("takes set-id bits off a file that it replaces", async () => {
    using exchange = makeExchange({ su: { run: "a" } });
    chmodSync(join(exchange.root, "su"), 0o6755);
    await applyChanges(await idOf(exchange, { su: { run: "A" } }), optionsOf(exchange));
    expect(statSync(join(exchange.root, "su")).mode & 0o7777).toBe(0o755);
  });

  test.each([
    [
      "changed",
      (root: string) => writeFileSync(join(root, "a.txt"), "person"),
      "changed on the host meanwhile",
    ],
    [
      "made executable",
      (root: string) => chmodSync(join(root, "a.txt"), 0o755),
      "changed on the host meanwhile",
    ],
    ["removed", (root: string) => unlinkSync(join(root, "a.txt")), "removed on the host meanwhile"],
  ])("refuses all when one file was %s on the host", async (_, meddle, reason) => {
    using exchange = makeExchange({ "a.txt": "a", "b.txt": "b" });
    const id = await idOf(exchange, { "a.txt": "A", "b.txt": "B" });
    meddle(exchange.root);
    const before = exchange.tree();
    const error: unknown = await applyChanges(id, optionsOf(exchange)).catch((e: unknown) => e);
    expect(details(error)).toEqual([{ path: "a.txt", reason }]);
    expect(exchange.tree()).toEqual(before);
    expect((await exchange.store.get(id)).changes).toHaveLength(2);
  });

  test("names the first conflicts and counts the rest", async () => {
    using exchange = makeExchange({});
    const names = ["a", "b", "c", "d", "e"];
    const id = await idOf(exchange, Object.fromEntries(names.map((name) => [name, "guest"])));
    for (const name of names) writeFileSync(join(exchange.root, name), "person");
    await expect(applyChanges(id, optionsOf(exchange))).rejects.toThrow(
      /^nothing was applied: a: already.*; b: already.*; c: already[^;]*\(and 2 more\)$/,
    );
  });

  test("refuses to put a new file where the host has one by now", async () => {
    using exchange = makeExchange({ ".env": "SECRET" });
    const id = await idOf(exchange, { ".env": "from the guest", README: "r" });
    writeFileSync(join(exchange.root, "Readme"), "person");
    const error: unknown = await applyChanges(id, optionsOf(exchange)).catch((e: unknown) => e);
    expect(details(error)).toEqual([
      { path: ".env", reason: "already on the host, and was not sent" },
      { path: "README", reason: "the host has Readme, which differs only in spelling" },
    ]);
    expect(exchange.tree()).toEqual({ ".env": "SECRET", Readme: "person" });
  });

  test("never writes through a link that has taken a folder's place", async () => {
    using exchange = makeExchange({ "d/a.txt": "a" });
    using outside = makeTempDir();
    const id = await idOf(exchange, { "d/a.txt": "A", "d/new.txt": "n" });
    makeTree(outside.path, { "a.txt": "a" });
    unlinkSync(join(exchange.root, "d/a.txt"));
    rmdirSync(join(exchange.root, "d"));
    symlinkSync(outside.path, join(exchange.root, "d"));
    const error: unknown = await applyChanges(id, optionsOf(exchange)).catch((e: unknown) => e);
    expect(details(error)).toMatchObject([{ reason: "d is a link" }, { reason: "d is a link" }]);
    expect(readTree(outside.path)).toEqual({ "a.txt": "a" });
  });

  test("what the host has already needs no move", async () => {
    using exchange = makeExchange({ "a.txt": "a", "b.txt": "b" });
    const id = await idOf(exchange, { "a.txt": "A" });
    writeFileSync(join(exchange.root, "a.txt"), "A");
    unlinkSync(join(exchange.root, "b.txt"));
    await applyChanges(id, optionsOf(exchange));
    expect(exchange.tree()).toEqual({ "a.txt": "A" });
  });

  test("a damaged blob is found before anything moves", async () => {
    using exchange = makeExchange({ "a.txt": "a", "b.txt": "b" });
    const id = await idOf(exchange, { "a.txt": "A", "b.txt": "B" });
    const { folder } = exchange.store.blobs(id);
    const after = (await exchange.store.get(id)).changes[1]?.after;
    if (after?.kind !== "file") throw new Error("no file");
    writeFileSync(join(folder, after.sha256), "poisoned");
    await expect(applyChanges(id, optionsOf(exchange))).rejects.toMatchObject({
      code: "APPLY_FAILED",
    });
    expect(exchange.tree()).toEqual({ "a.txt": "a", "b.txt": "b" });
  });

  test("two applies of one set at once: one does it, the other finds nothing", async () => {
    using exchange = makeExchange({ "a.txt": "a" });
    const id = await idOf(exchange, { "a.txt": "A" });
    const results = await Promise.allSettled(
      [1, 2].map(() => applyChanges(id, optionsOf(exchange))),
    );
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const loser = results.find((result) => result.status === "rejected");
    expect(loser?.reason).toMatchObject({ code: "CHANGES_NOT_FOUND" });
    expect(exchange.tree()).toEqual({ "a.txt": "A" });
  });

  test("refuses a set whose paths leave the workspace, whoever wrote it", async () => {
    using exchange = makeExchange({});
    const id = await idOf(exchange, { "a.txt": "A" });
    const file = join(exchange.store.folder, id, "set.json");
    for (const path of ["../a.txt", ".git/hooks/pre-commit", "/a.txt"]) {
      const text = readFileSync(file, "utf8");
      writeFileSync(file, text.replace(/"path":"[^"]*"/, `"path":${JSON.stringify(path)}`));
      await expect(applyChanges(id, optionsOf(exchange))).rejects.toMatchObject({
        code: "APPLY_FAILED",
      });
    }
    expect(readTree(exchange.base)).not.toHaveProperty("a.txt");
  });

  test("refuses a workspace that is gone or has become a link", async () => {
    using exchange = makeExchange({});
    const id = await idOf(exchange, { "a.txt": "A" });
    renameSync(exchange.root, join(exchange.base, "moved"));
    const refused = { code: "WORKSPACE_REFUSED" };
    await expect(applyChanges(id, optionsOf(exchange))).rejects.toMatchObject(refused);
    symlinkSync(join(exchange.base, "moved"), exchange.root);
    await expect(applyChanges(id, optionsOf(exchange))).rejects.toMatchObject(refused);
    expect(readTree(join(exchange.base, "moved"))).toEqual({});
  });

  test("does nothing when nothing was chosen", async () => {
    using exchange = makeExchange({});
    const id = await idOf(exchange, { ".hidden": "A" });
    const { applied, remaining } = await applyChanges(id, {
      stateDir: exchange.stateDir,
      store: exchange.store,
    });
    expect(applied).toEqual([]);
    expect(remaining?.id).toBe(id);
  });

  test("waits for another apply in the same workspace, but not for ever", async () => {
    using exchange = makeExchange({});
    const id = await idOf(exchange, { "a.txt": "A" });
    const lock = await lockWorkspace(exchange.stateDir, exchange.root);
    await expect(
      applyChanges(id, optionsOf(exchange, { lockTimeoutMs: 30 })),
    ).rejects.toMatchObject({
      code: "APPLY_FAILED",
      message: expect.stringContaining("right now") as string,
    });
    const waiting = applyChanges(id, optionsOf(exchange));
    await lock.release();
    expect((await waiting).applied).toEqual(["a.txt"]);
  });

  test("a path that is too long for this host is the host's limit, and nothing is applied", async () => {
    using exchange = makeExchange({});
    const id = await idOf(exchange, { "a.txt": "A" });
    const file = join(exchange.store.folder, id, "set.json");
    const folder = join(exchange.base, "x".repeat(200), "y".repeat(200));
    const root = join(folder, ...Array.from({ length: 16 }, () => "z".repeat(200)));
    mkdirSync(root, { recursive: true });
    const path = Array.from({ length: 4 }, () => "p".repeat(200)).join("/");
    const text = readFileSync(file, "utf8").replace('"path":"a.txt"', `"path":"${path}"`);
    writeFileSync(file, text.replace(/"root":"[^"]*"/, `"root":"${root}"`));
    await expect(applyChanges(id, optionsOf(exchange))).rejects.toMatchObject({
      code: "HOST_LIMIT",
      hint: "a path is longer than this file system allows",
    });
  });
});
