/** A template that is not what was published is dropped and made again; no clone is made from it. */
import { randomUUID } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  lstatSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { TemplateStore } from "../../src/vm/templates/template-store.ts";
import { eventually } from "../support/eventually.ts";
import { listDescriptors } from "../support/host-process.ts";
import { createOwnLumina } from "../support/lumina.ts";
import type { OwnLumina } from "../support/lumina.ts";
import { makeTempDir } from "../support/make-tree.ts";
import { fillCache } from "../support/own-cache.ts";
import { opensTemplatesReadOnly } from "../support/template-access.ts";

const memoryMib = 128;
const isRoot = process.getuid?.() === 0;

const temp = makeTempDir();
let own: OwnLumina;
let templates: string;
/** a machine that broke out has no way to write there */
let isReadOnly: boolean;
beforeAll(async () => {
  const cacheDir = join(temp.path, "cache");
  await fillCache(cacheDir);
  own = await createOwnLumina({ cacheDir });
  templates = join(cacheDir, "templates");
  isReadOnly = await opensTemplatesReadOnly(own.lumina);
  expect((await boot()).at(-1)).toBe("cloning");
});
afterAll(async () => {
  await own[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

/** The one template, by its folder. */
function template(): string {
  const names = readdirSync(templates).filter((name) => /^[0-9a-f]{64}$/.test(name));
  expect(names).toHaveLength(1);
  return join(templates, names[0] ?? "");
}
/** What it took to have a machine. */
async function boot(): Promise<readonly string[]> {
  const phases: string[] = [];
  await using machine = await own.lumina.spawn({
    memoryMib,
    onPhase: (phase) => phases.push(typeof phase === "string" ? phase : phase.phase),
  });
  expect((await machine.exec(["true"], { cwd: "/" })).exitCode).toBe(0);
  return phases;
}
/** Which file the template is: a template that is made again is another. */
const identity = (): bigint => lstatSync(join(template(), "ram"), { bigint: true }).ino;

/** Its memory file, by the descriptor that its hypervisor holds. */
function ramOf({ pid }: { readonly pid: number }): string {
  const ram = listDescriptors(pid).find(({ target }) => target.endsWith("/ram"));
  if (ram === undefined) throw new Error("it holds no memory file open");
  return `/proc/${pid}/fd/${ram.number}`;
}

async function expectMadeAgain(before: bigint): Promise<void> {
  expect(await boot()).toEqual(["freezing template", "cloning"]);
  expect(identity()).not.toBe(before);
  expect(await boot()).toEqual(["cloning"]);
}

describe("a template that is changed", () => {
  it("through the descriptor of a machine that broke out of its hypervisor is made again", async (context) => {
    context.skip(isReadOnly, "from QEMU 8.2 on it has no such descriptor");
    const before = identity();
    await using machine = await own.lumina.spawn({ memoryMib });
    const descriptor = openSync(ramOf(machine), "r+");
    writeSync(descriptor, Buffer.from("owned"), 0, 5, 4096);
    closeSync(descriptor);
    await expectMadeAgain(before);
  });

  it("cannot be so through the descriptor of a machine, from QEMU 8.2 on", async (context) => {
    context.skip(!isReadOnly, "before QEMU 8.2 the descriptor is one for writing");
    const before = identity();
    await using machine = await own.lumina.spawn({ memoryMib });
    expect(() => openSync(ramOf(machine), "r+")).toThrow("EROFS");
    expect(await boot()).toEqual(["cloning"]);
    expect(identity()).toBe(before);
  });

  it("with its times set back is made again", async () => {
    const before = identity();
    const path = join(template(), "ram");
    const { atime, mtime } = statSync(path);
    const descriptor = openSync(path, "r+");
    writeSync(descriptor, Buffer.from("owned"), 0, 5, 8192);
    closeSync(descriptor);
    utimesSync(path, atime, mtime);
    await expectMadeAgain(before);
  });

  it("in a way that leaves no trace in its times is found by its hash after the next machine's end", async (context) => {
    context.skip(isReadOnly, "from QEMU 8.2 on no machine could have written it");
    const before = identity();
    // as a change that the file's times do not show: the manifest is given the new times
    const manifestPath = join(template(), "template.json");
    const descriptor = openSync(join(template(), "ram"), "r+");
    writeSync(descriptor, Buffer.from("owned"), 0, 5, 12_288);
    closeSync(descriptor);
    const { ctimeNs } = lstatSync(join(template(), "ram"), { bigint: true });
    const manifest = JSON.parse(readFileSync(manifestPath, "utf8")) as { ram: { ctimeNs: string } };
    manifest.ram.ctimeNs = ctimeNs.toString();
    writeFileSync(manifestPath, JSON.stringify(manifest));
    expect(await boot()).toEqual(["cloning"]);
    // hashed off the path, at the lowest priority
    await eventually(
      "it is made again",
      async () => (await boot()).includes("freezing template"),
      60_000,
    );
    expect(identity()).not.toBe(before);
  });

  it("by a file that is missing is made again", async () => {
    const before = identity();
    renameSync(join(template(), "ram"), join(template(), "gone"));
    await expectMadeAgain(before);
  });
});

describe("a template on disk", () => {
  const key = "0".repeat(64);
  let store: TemplateStore;
  let folder: string;
  beforeEach(async () => {
    const at = join(temp.path, `store-${randomUUID()}`);
    store = new TemplateStore(at);
    folder = join(at, key);
    const draft = await store.draft(key);
    writeFileSync(draft.ramPath, Buffer.alloc(65_536, 7), { mode: 0o600 });
    await draft.publish(Buffer.from("device state"));
    expect(await store.open(key)).toMatchObject({ key });
  });

  it.each<[string, () => void]>([
    ["one bit of its device state", () => flip(join(folder, "state"))],
    ["device state that goes on", () => appendFileSync(join(folder, "state"), "more")],
    ["device state cut short", () => truncateSync(join(folder, "state"), 3)],
    ["memory cut short", () => truncateSync(join(folder, "ram"), 4096)],
    ["memory that goes on", () => appendFileSync(join(folder, "ram"), "more")],
    ["a mode that lets others in", () => chmodSync(join(folder, "ram"), 0o777)],
    ["a copy of its memory in its place", () => swapMemory(folder)],
    ["a manifest that is garbage", () => writeFileSync(join(folder, "template.json"), "\0{]")],
    [
      "a manifest of another version",
      () => writeFileSync(join(folder, "template.json"), '{"version":2}'),
    ],
    ["no manifest", () => renameSync(join(folder, "template.json"), join(folder, "gone"))],
    ["no device state", () => renameSync(join(folder, "state"), join(folder, "gone"))],
    ["no memory", () => renameSync(join(folder, "ram"), join(folder, "gone"))],
    [
      "an audit that found another hash",
      () => writeFileSync(join(folder, "audit"), `${"0".repeat(64)}  ram\n`),
    ],
  ])("with %s is dropped, and its place is free", async (_how, change) => {
    change();
    expect(await store.open(key)).toBeUndefined();
    expect(readdirSync(join(folder, ".."))).toEqual([]);
  });

  it.runIf(isRoot)("of another owner is dropped", async () => {
    chownSync(join(folder, "ram"), 65_534, 65_534);
    expect(await store.open(key)).toBeUndefined();
  });
});

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(path, bytes);
}

function swapMemory(folder: string): void {
  cpSync(join(folder, "ram"), join(folder, "copy"), { preserveTimestamps: true });
  renameSync(join(folder, "copy"), join(folder, "ram"));
}
