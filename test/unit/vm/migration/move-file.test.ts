/** A machine in a file: taken only when every byte of it is what was written, the token last. */
import { mkdtemp, mkdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FrameLink } from "../../../../src/vm/migration/frame-link.ts";
import type { Frame } from "../../../../src/vm/migration/frames.ts";
import { encodeMessage } from "../../../../src/vm/migration/frames.ts";
import { receiveFiles, sendFiles } from "../../../../src/vm/migration/machine-files.ts";
import type { Hello } from "../../../../src/vm/migration/messages.ts";
import {
  finishMoveFile,
  inspectMoveFile,
  isMoveFileOf,
  MoveFile,
  readMoveFile,
} from "../../../../src/vm/migration/move-file.ts";

const id = "1".repeat(32);
const token = "2".repeat(64);
const hello: Hello = {
  ...{ kind: "hello", version: 1, id, code: null, form: "files", tokenHash: "3".repeat(64) },
  machine: {
    ...{ name: "work", memoryMib: 128, vcpus: 1, env: {}, workspace: null },
    ...{ checkpoint: "never", image: "base" },
  },
  key: { backend: "b", version: "1", cpu: "c", imageDigest: "d", arguments: "e" },
};
const memory = Buffer.concat([
  Buffer.alloc(300_000),
  Buffer.from("memory".repeat(60_000)),
  Buffer.alloc(700_000),
]);
const devices = Buffer.from("devices");

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lg-"));
  path = join(folder, "work.machine");
  await mkdir(join(folder, "saved"));
  await writeFile(join(folder, "saved/ram"), memory);
  await writeFile(join(folder, "saved/state"), devices);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** @param until where the writer is killed */
async function write(until: "before its end" | "before the token" | "the end"): Promise<void> {
  const file = await MoveFile.create(path);
  await file.send(hello);
  await file.send({ kind: "baseline", baseline: null });
  const bytes = await sendFiles(file, join(folder, "saved"));
  if (until !== "before its end") await file.send({ kind: "end", bytes });
  if (until === "the end") await file.finish(id, token);
  await file.sync();
  await file.close();
}

/** What a supervisor does with it, as far as the files go. */
async function unpack(): Promise<void> {
  const channel = new PassThrough();
  const link = new FrameLink(channel);
  const next = (): ReturnType<FrameLink["next"]> =>
    link.next({ timeoutMs: 5_000, what: "a frame" });
  const pumped = (async () => {
    for await (const chunk of readMoveFile(path, await inspectMoveFile(path))) {
      if (!channel.write(chunk)) await new Promise((resolve) => channel.once("drain", resolve));
    }
  })();
  await next();
  await next();
  await mkdir(join(folder, "arrived"));
  const { end, bytes } = await receiveFiles(next, join(folder, "arrived"), 128);
  expect(end).toEqual({ kind: "end", bytes });
  expect(await next()).toEqual({ kind: "message", message: { kind: "commit", id, token } });
  await pumped;
}

describe("a machine in a file", () => {
  it("comes out as it went in, is this user's alone, and has its zeroes told and not written", async () => {
    await write("the end");
    await unpack();
    expect((await readFile(join(folder, "arrived/ram"))).equals(memory)).toBe(true);
    expect((await readFile(join(folder, "arrived/state"))).equals(devices)).toBe(true);
    const { mode, size } = await stat(path);
    expect(mode & 0o777).toBe(0o600);
    expect(size).toBeLessThan(memory.length - 700_000);
    expect((await stat(join(folder, "arrived/ram"))).mode & 0o777).toBe(0o600);
  });

  it("is refused with any bit changed, and when it is cut anywhere", async () => {
    await write("the end");
    const whole = await readFile(path);
    for (let at = 0; at < whole.length; at += 7_919) {
      const changed = Buffer.from(whole);
      changed.writeUInt8((changed[at] ?? 0) ^ (1 << (at % 8)), at);
      await writeFile(path, changed);
      await expect(inspectMoveFile(path), `bit of ${at}`).rejects.toMatchObject({
        code: "SNAPSHOT_INVALID",
      });
      await truncate(path, at);
      await expect(inspectMoveFile(path), `cut at ${at}`).rejects.toMatchObject({
        code: "SNAPSHOT_INVALID",
      });
    }
    await writeFile(path, Buffer.concat([whole, Buffer.of(0)]));
    await expect(inspectMoveFile(path)).rejects.toMatchObject({ code: "SNAPSHOT_INVALID" });
  });

  it("cannot be taken before the token is in it, and is finished by whoever has that", async () => {
    await write("before the token");
    await expect(inspectMoveFile(path)).rejects.toMatchObject({ code: "SNAPSHOT_INVALID" });
    expect(await isMoveFileOf(path, id)).toBe(true);
    await finishMoveFile(path, id, token);
    const finished = await readFile(path);
    await finishMoveFile(path, id, token); // told twice
    expect((await readFile(path)).equals(finished)).toBe(true);
    await unpack();
  });

  it("is finished wherever its writer was killed within the token", async () => {
    await write("the end");
    const whole = await readFile(path);
    const rest = encodeMessage({ kind: "commit", id, token }).length + 92;
    for (let missing = 1; missing < rest; missing += 13) {
      await writeFile(path, whole.subarray(0, whole.length - missing));
      await finishMoveFile(path, id, token);
      expect((await readFile(path)).equals(whole), `${missing} missing`).toBe(true);
    }
  });

  it("is not finished when not all of it is there, or it is of another move", async () => {
    await write("before its end");
    await expect(finishMoveFile(path, id, token)).rejects.toThrow("not all of the machine");
    await expect(finishMoveFile(path, "4".repeat(32), token)).rejects.toThrow("another machine");
    expect(await isMoveFileOf(path, "4".repeat(32))).toBe(false);
  });

  it("of another version, of something else, or of nothing is refused and says so", async () => {
    const refused = async (bytes: Buffer | string): Promise<void> => {
      await writeFile(path, bytes);
      await inspectMoveFile(path);
    };
    await expect(refused(encodeMessage({ ...hello, version: 2 }))).rejects.toThrow("version 2");
    await expect(refused(encodeMessage({ ...hello, form: "stream" }))).rejects.toThrow(
      "no machine",
    );
    await expect(refused("a letter to somebody")).rejects.toThrow("has no machine in it");
    await expect(refused("")).rejects.toThrow("has no machine in it");
    await expect(inspectMoveFile(folder)).rejects.toThrow("is no file");
    await expect(inspectMoveFile(join(folder, "none"))).rejects.toMatchObject({
      code: "HOST_LIMIT",
    });
  });

  it("is never written over a file that is there", async () => {
    await writeFile(path, "mine");
    await expect(MoveFile.create(path)).rejects.toMatchObject({ code: "USAGE" });
    expect(await readFile(path, "utf8")).toBe("mine");
  });
});

describe("the files of a machine that another host sends", () => {
  const file = (bytes: number): Frame => ({
    kind: "message",
    message: { kind: "file", name: "ram", bytes },
  });
  const end = (sha256: string): Frame => ({
    kind: "message",
    message: { kind: "file end", sha256 },
  });
  const bytes: Frame = { kind: "bytes", bytes: Buffer.from("ab") };

  it.each<readonly [string, readonly Frame[], string]>([
    ["has other bytes than its digest says", [file(2), bytes, end("0".repeat(64))], "not what was"],
    ["is shorter than it said", [file(3), bytes, end("0".repeat(64))], "shorter"],
    ["is longer than it said", [file(1), bytes], "longer"],
    ["is larger than the machine", [file(2 ** 40)], "for 1 MiB of memory"],
  ])("one that %s is refused", async (_what, frames, why) => {
    const left = [...frames];
    const next = (): Promise<Frame> => {
      const first = left.shift();
      return first === undefined ? Promise.reject(new Error("no more")) : Promise.resolve(first);
    };
    await mkdir(join(folder, "arrived"));
    await expect(receiveFiles(next, join(folder, "arrived"), 1)).rejects.toThrow(why);
  });
});
