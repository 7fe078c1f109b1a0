/** Snapshots as files: published whole, checked before use, and bounded in number and size. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SealingKey } from "../../../../src/process/sealing-key.ts";
import { chooseUnwanted } from "../../../../src/vm/snapshots/retention.ts";
import { parseManifest } from "../../../../src/vm/snapshots/snapshot-manifest.ts";
import type { SnapshotFacts } from "../../../../src/vm/snapshots/snapshot-manifest.ts";
import { SnapshotStore } from "../../../../src/vm/snapshots/snapshot-store.ts";
import type { Snapshot } from "../../../../src/vm/snapshots/snapshot-store.ts";
import { makeTempDir } from "../../../support/make-tree.ts";

const key = { backend: "b", version: "1", cpu: "c", imageDigest: "i", arguments: "a" };
const facts: SnapshotFacts = {
  ...{ machine: { id: "m-000001", name: "work" }, name: null, kind: "asked", parent: null },
  ...{ memoryMib: 128, vcpus: 1, key },
};
const sealing: SealingKey = { place: "file", bytes: randomBytes(32) };

interface Bench extends Disposable {
  readonly store: SnapshotStore;
  readonly folder: string;
  readonly add: (more?: Partial<SnapshotFacts>, sealingKey?: SealingKey) => Promise<Snapshot>;
}

function createBench(countMax = 10, bytesMax = 1e9): Bench {
  const temp = makeTempDir();
  const store = new SnapshotStore(temp.path, { countMax, bytesMax }, () =>
    Promise.resolve(sealing),
  );
  return {
    store,
    folder: join(temp.path, "snapshots"),
    add: async (more = {}, sealingKey) => {
      const draft = await store.draft();
      writeFileSync(join(draft.folder, "ram"), randomBytes(9_000));
      writeFileSync(join(draft.folder, "state"), "devices");
      return draft.publish({ ...facts, ...more }, true, sealingKey);
    },
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

describe("a snapshot", () => {
  it("is found by its name and the beginning of its id, and opened as it was saved", async () => {
    using bench = createBench();
    const { id } = await bench.add({ name: "before" });
    expect(await bench.store.find("before")).toBe(id);
    expect(await bench.store.find(id.slice(0, 6))).toBe(id);
    await using opened = await bench.store.open(id);
    expect(readFileSync(join(opened.saved.folder, "state"), "utf8")).toBe("devices");
    await expect(bench.store.find("befroe")).rejects.toMatchObject({
      code: "SNAPSHOT_NOT_FOUND",
      hint: 'did you mean "before"?',
    });
  });

  it("that was changed with its size and times kept is found by what cannot be set back", async () => {
    using bench = createBench();
    const { id } = await bench.add();
    const path = join(bench.folder, id, "ram");
    const { atime, mtime } = statSync(path);
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(5_000) ^ 1, 5_000);
    writeFileSync(path, bytes);
    utimesSync(path, atime, mtime);
    await expect(bench.store.open(id)).rejects.toMatchObject({ code: "SNAPSHOT_INVALID" });
  });

  it("is sealed on request: no file is what it was, and it opens with its key alone", async () => {
    using bench = createBench();
    const { id } = await bench.add({}, sealing);
    const onDisk = readFileSync(join(bench.folder, id, "state"));
    expect(onDisk.includes("devices")).toBe(false);
    const opened = await bench.store.open(id);
    expect(readFileSync(join(opened.saved.folder, "state"), "utf8")).toBe("devices");
    await opened[Symbol.asyncDispose]();
    expect(readdirSync(bench.folder).filter((name) => name.startsWith("."))).toEqual([]);
    const other: SealingKey = { place: "file", bytes: randomBytes(32) };
    const limits = { countMax: 9, bytesMax: 1e9 };
    const stranger = new SnapshotStore(join(bench.folder, ".."), limits, () =>
      Promise.resolve(other),
    );
    await expect(stranger.open(id)).rejects.toMatchObject({ code: "SNAPSHOT_INVALID" });
    expect(readdirSync(bench.folder).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("leaves nothing when it was given up", async () => {
    using bench = createBench();
    const draft = await bench.store.draft();
    writeFileSync(join(draft.folder, "ram"), "half");
    await draft.discard();
    expect(readdirSync(bench.folder)).toEqual([]);
  });
});

describe("room for snapshots", () => {
  it("is made by the oldest, those that nobody asked for first, never by one with a name", async () => {
    using bench = createBench(3);
    const named = await bench.add({ name: "kept" });
    const asked = await bench.add();
    const fork = await bench.add({ kind: "fork" });
    const next = await bench.add();
    const ids = async (): Promise<string[]> => (await bench.store.list()).map(({ id }) => id);
    expect(await ids()).toEqual([named.id, asked.id, next.id]);
    const last = await bench.add({ kind: "checkpoint" });
    expect(await ids()).toEqual([named.id, next.id, last.id]);
    expect(await ids()).not.toContain(fork.id);
  });

  it("is refused when only names are left, and nothing is removed", async () => {
    using bench = createBench(1);
    const { id } = await bench.add({ name: "one" });
    await expect(bench.add({ name: "two" })).rejects.toMatchObject({ code: "HOST_LIMIT" });
    expect((await bench.store.list()).map((each) => each.id)).toEqual([id]);
  });

  it("counts what they take on the disk", () => {
    const manifest = { name: null, kind: "asked", parent: null, createdAt: "" } as const;
    const all = ["a", "b", "c"].map((id) => ({ id, bytes: 10, manifest }));
    expect(chooseUnwanted(all, "c", { countMax: 9, bytesMax: 25 })).toEqual(["a"]);
    expect(chooseUnwanted(all, "c", { countMax: 9, bytesMax: 30 })).toEqual([]);
  });
});

describe("a manifest", () => {
  it("that is not the text of its id is refused, whatever it is", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => parseManifest("0".repeat(64), text)).toThrow(/its manifest was changed/);
      }),
    );
  });
});
