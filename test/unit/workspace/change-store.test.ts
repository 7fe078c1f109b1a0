import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ChangeSet, ChangeSetDraft } from "../../../src/workspace/change-set.ts";
import { ChangeStore, type ChangeStoreOptions } from "../../../src/workspace/change-store.ts";
import { inPieces } from "../../support/guest-tar.ts";
import { makeTempDir } from "../../support/make-tree.ts";

const day = 24 * 3600 * 1000;
const body: ChangeSetDraft = {
  root: "/w",
  command: "test",
  hadNetwork: false,
  changes: [],
  removedFolders: [],
  refused: [],
  refusedCount: 0,
  leftBehind: { paths: [], count: 0 },
};

async function add(store: ChangeStore, bytes = 0): Promise<ChangeSet> {
  const draft = await store.draft();
  if (bytes > 0)
    await draft.blobs.put(inPieces(Buffer.alloc(bytes, bytes)), { size: bytes, wants: () => true });
  return await draft.publish(body);
}

function makeStore(
  path: string,
  options: ChangeStoreOptions = {},
): { store: ChangeStore; pass: (ms: number) => void } {
  let now = Date.parse("2026-01-01T00:00:00Z");
  const store = new ChangeStore(path, { now: () => now, ...options });
  return { store, pass: (ms) => void (now += ms) };
}

describe("kept change sets", () => {
  test("have an id that can be typed, in any spelling", async () => {
    using temp = makeTempDir();
    const { store } = makeStore(temp.path);
    const set = await add(store);
    expect(set.id).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}$/);
    expect(
      await store.get(` ${set.id.toLowerCase().replace(/0/g, "o").replace(/1/g, "l")} `),
    ).toEqual(set);
    await expect(store.get("../..")).rejects.toMatchObject({ code: "CHANGES_NOT_FOUND" });
    await expect(store.remove("0000")).rejects.toMatchObject({ code: "CHANGES_NOT_FOUND" });
  });

  test("are listed newest first and can be removed", async () => {
    using temp = makeTempDir();
    const { store, pass } = makeStore(temp.path);
    expect(await store.list()).toEqual([]);
    const first = await add(store);
    pass(1000);
    const second = await add(store);
    expect((await store.list()).map(({ id }) => id)).toEqual([second.id, first.id]);
    await store.remove(first.id);
    expect(readdirSync(store.folder)).toEqual([second.id]);
  });

  test("are gone after seven days", async () => {
    using temp = makeTempDir();
    const { store, pass } = makeStore(temp.path);
    const { id } = await add(store);
    pass(7 * day - 1);
    expect((await store.get(id)).id).toBe(id);
    pass(1);
    expect(await store.list()).toEqual([]);
    await expect(store.get(id)).rejects.toMatchObject({ code: "CHANGES_NOT_FOUND" });
    await store.prune();
    expect(readdirSync(store.folder)).toEqual([]);
  });

  test("are bounded in number and in bytes, the oldest going first, the new one never", async () => {
    using temp = makeTempDir();
    const { store, pass } = makeStore(temp.path, { setsMax: 3, bytesMax: 1000 });
    const ids: string[] = [];
    for (const bytes of [10, 20, 30, 40, 950, 2000]) {
      ids.push((await add(store, bytes)).id);
      pass(1000);
      const kept = (await store.list()).map(({ id }) => ids.indexOf(id)).reverse();
      const expected: Record<number, number[]> = { 40: [1, 2, 3], 950: [3, 4], 2000: [5] };
      if (expected[bytes] !== undefined) expect(kept).toEqual(expected[bytes]);
    }
  });

  test("are readable by their owner only", async () => {
    using temp = makeTempDir();
    const { store } = makeStore(join(temp.path, "state"));
    const { id } = await add(store, 5);
    const mode = (...names: string[]): string =>
      (statSync(join(store.folder, ...names)).mode & 0o777).toString(8);
    expect([mode(), mode(id), mode(id, "blobs"), mode(id, "set.json")]).toEqual([
      "700",
      "700",
      "700",
      "600",
    ]);
    const [blob = ""] = readdirSync(join(store.folder, id, "blobs"));
    expect(mode(id, "blobs", blob)).toBe("600");
  });

  test("that are damaged are not listed, and pruned", async () => {
    using temp = makeTempDir();
    const { store } = makeStore(temp.path);
    const { id } = await add(store);
    writeFileSync(join(store.folder, id, "set.json"), "{");
    expect(await store.list()).toEqual([]);
    writeFileSync(
      join(store.folder, id, "set.json"),
      JSON.stringify({ ...body, version: 1, id, extra: 1 }),
    );
    expect(await store.list()).toEqual([]);
    await add(store);
    expect(readdirSync(store.folder)).not.toContain(id);
  });

  test("half made by a process that is no more are cleared away, others are not", async () => {
    using temp = makeTempDir();
    const { store } = makeStore(temp.path);
    const own = await store.draft();
    mkdirSync(join(store.folder, ".draft-999999999-abc/blobs"), { recursive: true });
    await store.prune();
    expect(readdirSync(store.folder)).toEqual([expect.stringMatching(`^.draft-${process.pid}-`)]);
    await own.drop();
    expect(readdirSync(store.folder)).toEqual([]);
  });

  test("obey the caller's signal", async () => {
    using temp = makeTempDir();
    const { store } = makeStore(temp.path);
    const signal = AbortSignal.abort(new Error("mine"));
    for (const call of [
      store.draft({ signal }),
      store.get("7K2M", { signal }),
      store.remove("7K2M", { signal }),
      store.prune({ signal }),
    ]) {
      await expect(call).rejects.toThrow("mine");
    }
  });
});
