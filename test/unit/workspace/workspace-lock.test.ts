import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { identifySelf } from "../../../src/process/process-identity.ts";
import {
  clearLocks,
  lockWorkspace,
  tryLockWorkspace,
} from "../../../src/workspace/workspace-lock.ts";
import { makeTempDir } from "../../support/make-tree.ts";

/** Makes the lock look as if that process had it. */
async function leaveLock(stateDir: string, owner: string): Promise<string> {
  const lock = await lockWorkspace(stateDir, "/w");
  const [name = ""] = readdirSync(join(stateDir, "locks"));
  await lock.release();
  const folder = join(stateDir, "locks", name);
  mkdirSync(folder);
  writeFileSync(join(folder, owner), "");
  return folder;
}

describe("the lock of a workspace", () => {
  test("is held by one at a time, and free again after its scope", async () => {
    using temp = makeTempDir();
    {
      await using first = await lockWorkspace(temp.path, "/w");
      expect(first).toBeDefined();
      expect(await tryLockWorkspace(temp.path, "/w", { timeoutMs: 60 })).toBeUndefined();
      await using other = await lockWorkspace(temp.path, "/other");
      expect(other).toBeDefined();
    }
    expect(readdirSync(join(temp.path, "locks"))).toEqual([]);
  });

  test("is held by one of many that ask at once", async () => {
    using temp = makeTempDir();
    await leaveLock(temp.path, "999999999-5-dead");
    let holders = 0;
    const turns = Array.from({ length: 20 }, async () => {
      const lock = await lockWorkspace(temp.path, "/w");
      holders += 1;
      expect(holders).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      holders -= 1;
      await lock.release();
    });
    await Promise.all(turns);
    expect(readdirSync(join(temp.path, "locks"))).toEqual([]);
  });

  test("of a dead process, or of one whose number is used again, is taken over", async () => {
    using temp = makeTempDir();
    const { pid, startTicks } = identifySelf();
    for (const owner of [
      "999999999-5-dead",
      "999999999-x-dead",
      `${pid}-${(startTicks ?? 7) - 1}-dead`,
    ]) {
      await leaveLock(temp.path, owner);
      const lock = await tryLockWorkspace(temp.path, "/w", { timeoutMs: 0 });
      expect(lock, owner).toBeDefined();
      await lock?.release();
    }
  });

  test("of a living process is left alone, also by clearing up", async () => {
    using temp = makeTempDir();
    const { pid, startTicks } = identifySelf();
    const owner = `${pid}-${startTicks ?? "x"}-alive`;
    const folder = await leaveLock(temp.path, owner);
    mkdirSync(`${folder}.999999999-5-dead`);
    mkdirSync(`${folder}.${owner}`);
    await clearLocks(temp.path);
    expect(await tryLockWorkspace(temp.path, "/w", { timeoutMs: 0 })).toBeUndefined();
    expect(readdirSync(join(temp.path, "locks")).sort()).toEqual(
      [folder, `${folder}.${owner}`].map((name) => name.slice(temp.path.length + "/locks/".length)),
    );
  });

  test("is not waited for once the caller gives up", async () => {
    using temp = makeTempDir();
    await using held = await lockWorkspace(temp.path, "/w");
    expect(held).toBeDefined();
    const signal = AbortSignal.timeout(30);
    await expect(lockWorkspace(temp.path, "/w", { signal })).rejects.toMatchObject({
      name: "TimeoutError",
    });
  });

  test("cannot be had where no folder can be made", async () => {
    using temp = makeTempDir();
    writeFileSync(join(temp.path, "file"), "");
    await expect(lockWorkspace(join(temp.path, "file"), "/w")).rejects.toMatchObject({
      code: "HOST_LIMIT",
    });
    await expect(clearLocks(join(temp.path, "file"))).resolves.toBeUndefined();
  });
});
