import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { TemplateStore } from "../../../../src/vm/templates/template-store.ts";
import { eventually } from "../../../support/eventually.ts";
import { makeTempDir } from "../../../support/make-tree.ts";

const key = "ab".repeat(32);
const state = Buffer.from("device state");

interface Bench extends Disposable {
  readonly store: TemplateStore;
  readonly folder: string;
  readonly file: (name: string) => string;
}

function createStore(): Bench {
  const temp = makeTempDir();
  const folder = join(temp.path, "templates");
  return {
    store: new TemplateStore(folder),
    folder,
    file: (name) => join(folder, key, name),
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

async function publish({ store }: Bench, memory = "memory"): Promise<void> {
  const draft = await store.draft(key);
  writeFileSync(draft.ramPath, memory, { mode: 0o600 });
  await draft.publish(state);
}

describe("a template", () => {
  it("is what was published", async () => {
    using bench = createStore();
    await publish(bench);
    expect(await bench.store.open(key)).toEqual({
      key,
      folder: join(bench.folder, key),
      ramPath: bench.file("ram"),
      state,
    });
  });

  it("takes no room for memory that is zero, and is published with its rights", async () => {
    using bench = createStore();
    const draft = await bench.store.draft(key);
    writeFileSync(draft.ramPath, Buffer.concat([Buffer.alloc(1024 ** 2), Buffer.from("memory")]));
    chmodSync(draft.ramPath, 0o666);
    await draft.publish(state);
    const { blocks, mode } = statSync(bench.file("ram"));
    expect(blocks * 512).toBeLessThan(64 * 1024);
    expect(mode & 0o777).toBe(0o666);
    expect(readFileSync(bench.file("ram"), "latin1")).toMatch(/^\0{1048576}memory$/);
    expect(readdirSync(join(bench.folder, key)).sort()).toEqual(["ram", "state", "template.json"]);
  });

  it("is readable by its owner only", async () => {
    using bench = createStore();
    await publish(bench);
    const modes = ["", "state", "template.json"].map((name) => statSync(bench.file(name)).mode);
    expect(modes.map((mode) => (mode & 0o777).toString(8))).toEqual(["700", "600", "600"]);
  });

  it("that was never published is not there", async () => {
    using bench = createStore();
    expect(await bench.store.open(key)).toBeUndefined();
    expect(await bench.store.list()).toEqual([]);
  });

  it("whose draft is discarded leaves nothing", async () => {
    using bench = createStore();
    const draft = await bench.store.draft(key);
    await draft.discard();
    expect(readdirSync(bench.folder)).toEqual([]);
  });

  it.each<readonly [string, (bench: Bench) => Promise<void> | void]>([
    ["memory was written", ({ file }) => writeFileSync(file("ram"), "MEMORY")],
    ["memory grew", ({ file }) => writeFileSync(file("ram"), "memory and more")],
    ["memory's mode changed", ({ file }) => chmodSync(file("ram"), 0o644)],
    [
      "memory is another file of the same content",
      async ({ file }) => {
        writeFileSync(file("other"), "memory", { mode: 0o600 });
        await rename(file("other"), file("ram"));
      },
    ],
    ["device state was written", ({ file }) => writeFileSync(file("state"), "device STATE")],
    ["manifest is not JSON", ({ file }) => writeFileSync(file("template.json"), "{")],
    ["manifest is of another version", ({ file }) => edit(file, { version: 2 })],
    ["manifest names another device state", ({ file }) => edit(file, { stateSha256: "00" })],
    [
      "audit found other memory",
      ({ file }) => writeFileSync(file("audit"), `${"0".repeat(64)}  ram\n`),
    ],
  ])("is dropped when its %s", async (_what, change) => {
    using bench = createStore();
    await publish(bench);
    await change(bench);
    expect(await bench.store.open(key)).toBeUndefined();
    expect(readdirSync(bench.folder)).toEqual([]);
  });

  it("each recorded fact of whose memory counts", async () => {
    using bench = createStore();
    await publish(bench);
    const text = readFileSync(bench.file("template.json"), "utf8");
    const { ram } = JSON.parse(text) as { ram: Record<string, unknown> };
    expect(Object.keys(ram)).toEqual(["size", "uid", "mode", "ctimeNs", "inode"]);
    for (const [fact, value] of Object.entries(ram)) {
      await bench.store.drop(key);
      await publish(bench);
      const other = typeof value === "number" ? value + 1 : `${String(value)}1`;
      edit(bench.file, { ram: { ...readManifest(bench.file).ram, [fact]: other } });
      expect(await bench.store.open(key), fact).toBeUndefined();
    }
  });

  it("that an audit confirmed stays", async () => {
    using bench = createStore();
    await publish(bench);
    const sum = execFileSync("sha256sum", ["ram"], { cwd: join(bench.folder, key) });
    writeFileSync(bench.file("audit"), sum);
    expect(await bench.store.open(key)).toBeDefined();
  });

  it("is audited by a program of its own, whose verdict counts at the next opening", async () => {
    using bench = createStore();
    await publish(bench);
    bench.store.audit(key);
    await eventually("the audit's verdict", () => existsSync(bench.file("audit")), 8_000);
    expect(readFileSync(bench.file("audit"), "utf8")).toBe(
      `${readManifest(bench.file).ramSha256}  ram\n`,
    );
    expect(await bench.store.open(key)).toBeDefined();
  });

  it("published by two at once is the first one's, and the other's draft is gone", async () => {
    using bench = createStore();
    const drafts = await Promise.all([bench.store.draft(key), bench.store.draft(key)]);
    for (const { ramPath } of drafts) writeFileSync(ramPath, "memory", { mode: 0o600 });
    await Promise.all(drafts.map((draft) => draft.publish(state)));
    expect(readdirSync(bench.folder)).toEqual([key]);
    expect(await bench.store.open(key)).toMatchObject({ state });
  });

  it("that cannot be published says why", async () => {
    using bench = createStore();
    const draft = await bench.store.draft(key);
    await expect(draft.publish(state)).rejects.toThrow("ENOENT");
  });
});

describe("the list of templates", () => {
  it("has each with its room on disk, the oldest first, and nothing else", async () => {
    using bench = createStore();
    await publish(bench);
    const other = "cd".repeat(32);
    const draft = await bench.store.draft(other);
    writeFileSync(draft.ramPath, "x".repeat(100_000));
    await draft.publish(state);
    await bench.store.draft("not published");
    const list = await bench.store.list();
    expect(list.map((item) => item.key)).toEqual([key, other]);
    expect(list[1]?.bytes).toBeGreaterThanOrEqual(100_000);
  });

  it("keeps the eight that were used last", async () => {
    using bench = createStore();
    const keys = Array.from({ length: 9 }, (_, index) => String(index).repeat(64));
    for (const [index, each] of keys.entries()) {
      const draft = await bench.store.draft(each);
      writeFileSync(draft.ramPath, "memory");
      await draft.publish(state);
      utimesSync(join(bench.folder, each), index, index);
      if (index === 7) await bench.store.open(keys[0] ?? ""); // the first is used once more
    }
    const kept = (await bench.store.list()).map((item) => item.key);
    expect(kept.toSorted()).toEqual(keys.filter((each) => each !== keys[1]));
  });
});

function readManifest(file: Bench["file"]): { ram: object; ramSha256: string } {
  return JSON.parse(readFileSync(file("template.json"), "utf8")) as {
    ram: object;
    ramSha256: string;
  };
}

function edit(file: Bench["file"], changes: object): void {
  writeFileSync(file("template.json"), JSON.stringify({ ...readManifest(file), ...changes }));
}
