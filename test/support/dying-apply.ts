/** An apply of every kind of change at once, and ways to make it die or fail at a chosen write. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { ApplyOptions } from "../../src/workspace/apply.ts";
import type { Exchange } from "./exchange.ts";
import type { Tree } from "./make-tree.ts";

export const host: Tree = {
  "a.txt": "a",
  "deep/er/gone.txt": "x",
  "stay/one.txt": "1",
  f: "file",
  "d/x": "x",
  "run.sh": "r",
  l: { link: "a.txt" },
};
export const guest: Tree = {
  "a.txt": "A",
  "new/er/y.txt": "y",
  "stay/one.txt": "2",
  "f/x": "x",
  d: "d",
  "run.sh": { run: "r" },
  l: { link: "run.sh" },
};

export class Died extends Error {}

export function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

/** Lets `steps` writes pass, then fails each one after, as if the process were no more. */
export function dieAfter(
  steps: number,
  hasLinks = true,
): { probe: (what: string) => void; count: () => number } {
  let count = 0;
  const probe = (what: string): void => {
    count += 1;
    if (count > steps) throw new Died("died");
    if (what.startsWith("link ") && !hasLinks) throw failure("EPERM");
  };
  return { probe, count: () => count };
}

export async function keep(exchange: Exchange): Promise<{ id: string; options: ApplyOptions }> {
  const { set } = await exchange.run(guest);
  const { stateDir, store } = exchange;
  return { id: set?.id ?? "", options: { stateDir, store, choice: { kind: "all" } } };
}

export function expectNothingLeft(exchange: Exchange): void {
  const names = readdirSync(exchange.root).filter((name) => name.startsWith(".luminaguard"));
  expect(names).toEqual([]);
  const applies = join(exchange.stateDir, "applies");
  expect(existsSync(applies) ? readdirSync(applies) : []).toEqual([]);
  expect(readdirSync(join(exchange.stateDir, "locks"))).toEqual([]);
}
