/** Fifty forks of one machine at once, and a machine whose clock was a year off. */
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOwnLumina } from "../support/lumina.ts";
import type { OwnLumina } from "../support/lumina.ts";

const wish = { memoryMib: 128, vcpus: 1 };
const yearSeconds = 365 * 24 * 3600;

let own: OwnLumina;
beforeAll(async () => {
  own = await createOwnLumina();
});
afterAll(() => own[Symbol.asyncDispose]());

async function folder(name: string): Promise<string> {
  const path = join(own.folder, name);
  await mkdir(path, { mode: 0o700 });
  return path;
}

describe("forks of one machine", () => {
  it("are fifty at once, each its own, and all answer", async () => {
    const { lumina } = own;
    const machine = await lumina.spawn({ ...wish, memoryFolder: await folder("memory") });
    await machine.exec(["sh", "-c", "echo common > /tmp/state"], { cwd: "/" });
    const saved = await folder("saved");
    const { key } = await machine.save(saved);
    const forks = await Promise.all(
      Array.from({ length: 50 }, async (_none, number) => {
        const memoryFolder = await folder(`fork-${number}`);
        const from = { folder: saved, key };
        return lumina.spawn({ ...wish, memoryFolder, saved: from, bootTimeoutMs: 600_000 });
      }),
    );
    const answers = await Promise.all(
      forks.map(async (fork, number) => {
        const script = `cat /tmp/state; echo ${number} > /tmp/own; cat /proc/sys/kernel/random/boot_id`;
        return (await fork.exec(["sh", "-c", script], { cwd: "/" })).stdout.trim().split("\n");
      }),
    );
    expect(answers.map(([state]) => state)).toEqual(forks.map(() => "common"));
    expect(new Set(answers.map(([, bootId]) => bootId)).size).toBe(50);
    const ownStates = await Promise.all(
      forks.map((fork) => fork.exec(["cat", "/tmp/own"], { cwd: "/" })),
    );
    expect(ownStates.map(({ stdout }) => stdout)).toEqual(
      forks.map((_fork, number) => `${number}\n`),
    );
    await Promise.all([machine, ...forks].map((each) => each.stop()));
    expect(await readdir(lumina.config.runtimeDir)).toEqual([]);
  });

  it.each([-yearSeconds, yearSeconds])(
    "has the right time although its machine's clock was %i s off",
    async (offSeconds) => {
      const { lumina } = own;
      const machine = await lumina.spawn({
        ...wish,
        memoryFolder: await folder(`clock${offSeconds}`),
      });
      const wrong = Math.round(Date.now() / 1000) + offSeconds;
      await machine.exec(["date", "-s", `@${wrong}`], { cwd: "/", user: "0" });
      const seen = Number((await machine.exec(["date", "+%s"], { cwd: "/" })).stdout);
      expect(Math.abs(seen - wrong)).toBeLessThan(60);
      const saved = await folder(`saved${offSeconds}`);
      const { key } = await machine.save(saved);
      const fork = await lumina.spawn({
        ...wish,
        memoryFolder: await folder(`right${offSeconds}`),
        saved: { folder: saved, key },
      });
      const now = Number((await fork.exec(["date", "+%s"], { cwd: "/" })).stdout);
      expect(Math.abs(now - Date.now() / 1000)).toBeLessThan(3);
      await Promise.all([machine.stop(), fork.stop()]);
    },
  );
});
