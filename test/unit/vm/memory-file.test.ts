import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { copyMemory, digHoles, createFilling } from "../../../src/vm/memory-file.ts";
import { makeTempDir } from "../../support/make-tree.ts";

const mib = 1024 ** 2;

/** Two written places in memory that is mostly holes. */
function writeMemory(path: string): Buffer {
  const written = Buffer.concat([
    Buffer.from("first"),
    Buffer.alloc(8 * mib),
    Buffer.alloc(mib, "x"),
  ]);
  writeFileSync(path, "first");
  truncateSync(path, 5 + 8 * mib);
  writeFileSync(path, Buffer.alloc(mib, "x"), { flag: "a" });
  truncateSync(path, 32 * mib);
  return Buffer.concat([written, Buffer.alloc(32 * mib - written.length)]);
}

describe.skipIf(process.platform !== "linux")("a copy of a machine's memory", () => {
  it("has the holes of the memory", async () => {
    using temp = makeTempDir();
    const [from, to] = [join(temp.path, "from"), join(temp.path, "to")];
    const memory = writeMemory(from);
    await copyMemory(from, to);
    expect(readFileSync(to).equals(memory)).toBe(true);
    expect(statSync(to).blocks * 512).toBeLessThan(4 * mib);
  });

  it("that is mapped while it is made has its full size from its beginning, and is the same file", async () => {
    using temp = makeTempDir();
    const [from, to] = [join(temp.path, "from"), join(temp.path, "to")];
    const memory = writeMemory(from);
    for (let count = 0; count < 5; count += 1) {
      const filling = await createFilling(from, to);
      const { ino } = statSync(to);
      await filling.begin();
      const atBegin = statSync(to);
      expect([atBegin.ino, atBegin.size]).toEqual([ino, 32 * mib]);
      await filling.finish();
      const whole = statSync(to);
      expect([whole.ino, whole.size, whole.mode & 0o777]).toEqual([ino, 32 * mib, 0o600]);
      expect(readFileSync(to).equals(memory)).toBe(true);
    }
  });

  it("that is given up is not written any more, and is gone", async () => {
    using temp = makeTempDir();
    const [from, to] = [join(temp.path, "from"), join(temp.path, "to")];
    execFileSync("mkfifo", [from]); // which nobody writes: its copy never ends
    const filling = await createFilling(from, to);
    const begun = expect(filling.begin()).rejects.toThrow();
    await filling.giveUp();
    await begun;
    await expect(filling.finish()).rejects.toThrow();
    expect(existsSync(to)).toBe(false);
  });

  it("of what cannot be read says so, whichever end of it is waited for", async () => {
    using temp = makeTempDir();
    const to = join(temp.path, "to");
    const filling = await createFilling(temp.path, to); // a folder has a size, and is no memory
    await expect(filling.begin()).rejects.toMatchObject({ code: "HOST_LIMIT" });
    await expect(filling.finish()).rejects.toMatchObject({ code: "HOST_LIMIT" });
    expect(existsSync(to)).toBe(false);
  });

  it("ends with its caller's signal", async () => {
    using temp = makeTempDir();
    const [from, to] = [join(temp.path, "from"), join(temp.path, "to")];
    execFileSync("mkfifo", [from]); // which nobody writes: its copy never ends
    const caller = new AbortController();
    const filling = await createFilling(from, to, { signal: caller.signal });
    const begun = expect(filling.begin()).rejects.toThrow("changed my mind");
    caller.abort(new Error("changed my mind"));
    await begun;
    await expect(filling.finish()).rejects.toThrow("changed my mind");
    expect(existsSync(to)).toBe(false);
  });
});

describe.skipIf(process.platform !== "linux")("a memory file", () => {
  it("takes room only for what is not zero, once its holes are dug", async () => {
    using temp = makeTempDir();
    const path = join(temp.path, "ram");
    const memory = Buffer.concat([
      Buffer.alloc(8 * mib),
      Buffer.from("used"),
      Buffer.alloc(8 * mib),
    ]);
    writeFileSync(path, memory);
    await digHoles(path);
    expect(statSync(path).blocks * 512).toBeLessThan(mib);
    expect(readFileSync(path).equals(memory)).toBe(true);
  });

  it("stays as it is where no holes can be dug", async () => {
    using temp = makeTempDir();
    await digHoles(temp.path);
  });
});
