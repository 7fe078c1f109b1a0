/** What only shows with time or numbers: ten gigabytes, two hundred runs, sixty machines at once. */
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Machine } from "../../src/runtime/machine.ts";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { listDescriptors, peakResidentBytes, residentBytes } from "../support/host-process.ts";
import { createOwnLumina } from "../support/lumina.ts";
import type { OwnLumina } from "../support/lumina.ts";

const mebibyte = 1024 ** 2;
let home: CliHome;
let own: OwnLumina;
beforeAll(async () => {
  home = await createCliHome();
  own = await createOwnLumina();
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await own[Symbol.asyncDispose]();
});

describe("over time", () => {
  it("ten gigabytes of output pass through in flat memory", async () => {
    const child = home.start([
      "run",
      "--no-workspace",
      "--",
      "dd",
      "if=/dev/zero",
      "bs=1M",
      "count=10240",
    ]);
    let bytes = 0;
    child.stdout.on("data", (chunk: Buffer) => (bytes += chunk.length));
    child.stderr.resume();
    child.stdin.end();
    const peak = await peakResidentBytes(child.pid ?? 0, once(child, "close"));
    expect(bytes).toBe(10_240 * mebibyte);
    expect(peak).toBeLessThan(220 * mebibyte);
  });

  it("two hundred machines one after another leave no memory, descriptor or file behind", async () => {
    const after: { resident: number; descriptors: number }[] = [];
    for (let count = 0; count < 200; count += 1) {
      await using machine = await own.lumina.spawn({ memoryMib: 128 });
      expect((await machine.exec(["echo", String(count)], { cwd: "/" })).stdout).toBe(`${count}\n`);
      await machine.stop();
      if (count % 20 === 19) {
        const descriptors = listDescriptors(process.pid).length;
        after.push({ resident: residentBytes(process.pid), descriptors });
      }
    }
    const [early, late] = [after[2], after.at(-1)];
    expect(late?.descriptors).toBeLessThanOrEqual((early?.descriptors ?? 0) + 4);
    expect(late?.resident).toBeLessThan((early?.resident ?? 0) + 64 * mebibyte);
    expect(await readdir(own.lumina.config.runtimeDir)).toEqual([]);
  });

  it("sixty machines at once all answer, and all go", async () => {
    const machines: Machine[] = [];
    for (let count = 0; count < 60; count += 4) {
      const spawned = Array.from({ length: 4 }, () => own.lumina.spawn({ memoryMib: 128 }));
      machines.push(...(await Promise.all(spawned)));
    }
    const names = await Promise.all(
      machines.map(async (machine) =>
        (await machine.exec(["uname", "-n"], { cwd: "/" })).stdout.trim(),
      ),
    );
    expect(names).toEqual(machines.map(({ id }) => id));
    await Promise.all(machines.map((machine) => machine.stop()));
    expect(await readdir(own.lumina.config.runtimeDir)).toEqual([]);
  });
});
