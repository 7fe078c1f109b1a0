/** Machines made from one template share nothing that a guest could tell, or foretell. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Machine } from "../../src/runtime/machine.ts";
import { createOwnLumina } from "../support/lumina.ts";
import type { OwnLumina } from "../support/lumina.ts";

let own: OwnLumina;
let clones: readonly Machine[];
beforeAll(async () => {
  own = await createOwnLumina();
  clones = [];
  for (let count = 0; count < 4; count += 1) {
    clones = [...clones, await own.lumina.spawn({ memoryMib: 128 })];
  }
  expect(clones.map(({ kind }) => kind)).toEqual(["clone", "clone", "clone", "clone"]);
});
afterAll(() => own[Symbol.asyncDispose]());

async function inEach(...argv: string[]): Promise<readonly string[]> {
  const results = await Promise.all(clones.map((machine) => machine.exec(argv, { cwd: "/" })));
  return results.map(({ stdout }) => stdout.trim());
}
function expectAllDifferent(values: readonly string[]): void {
  expect(values.filter((value) => value === "")).toEqual([]);
  expect(new Set(values).size).toBe(values.length);
}

describe("two clones of one template", () => {
  it.each([
    ["the kernel's random bytes", ["head", "-c", "32", "/dev/urandom"]],
    [
      "the random bytes of a process that just started",
      ["sh", "-c", "od -An -tx1 -j0 -N16 /proc/self/auxv; od -An -tx1 -N64 /dev/random"],
    ],
    ["the kernel's random uuid", ["cat", "/proc/sys/kernel/random/uuid"]],
    ["the boot id", ["cat", "/proc/sys/kernel/random/boot_id"]],
    ["the machine id", ["cat", "/etc/machine-id"]],
    ["the host name", ["uname", "-n"]],
  ])("never have %s in common", async (_what, argv) => {
    expectAllDifferent(await inEach(...argv));
  });

  it("draw addresses of their own for a program's memory", async () => {
    expectAllDifferent(await inEach("sh", "-c", "grep -m1 stack /proc/self/maps"));
  });

  it("know their own names everywhere a program looks", async () => {
    const names = await inEach("sh", "-c", 'cat /etc/hostname; grep -c "$(uname -n)" /etc/hosts');
    expect(names).toEqual(clones.map(({ id }) => `${id}\n1`));
  });

  it("have the right time, to 100 ms", async () => {
    for (let count = 0; count < 3; count += 1) {
      await using machine = await own.lumina.spawn({ memoryMib: 128 });
      const before = Date.now();
      const { stdout } = await machine.exec(["adjtimex"], { cwd: "/" });
      const after = Date.now();
      const part = (name: string): number => {
        return Number(new RegExp(`time\\.${name}: +(\\d+)`).exec(stdout)?.[1]);
      };
      const ms = part("tv_sec") * 1000 + part("tv_usec") / 1000;
      expect(ms).toBeGreaterThan(before - 100);
      expect(ms).toBeLessThan(after + 100);
    }
  });
});
