import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { applyChanges } from "../../../src/workspace/apply.ts";
import { recoverApplies } from "../../../src/workspace/recover.ts";
import { makeExchange, type Exchange } from "../../support/exchange.ts";
import type { Tree } from "../../support/make-tree.ts";
import { makePlainSource } from "../../support/plain-source.ts";

const source = makePlainSource(["base", "process", "workspace"]);
afterAll(() => source[Symbol.dispose]());
const program = join(source.path, "apply-and-die.js");
writeFileSync(
  program,
  `import { applyChanges } from "./workspace/apply.js";
import { ChangeStore } from "./workspace/change-store.js";
const [stateDir, id, step] = process.argv.slice(2);
let count = 0;
const probe = () => {
  if (count === 0) process.stdout.write("begun");
  if (count++ === Number(step)) process.kill(process.pid, "SIGKILL");
};
const store = new ChangeStore(stateDir);
await applyChanges(id, { stateDir, store, choice: { kind: "all" }, probe });
`,
);

const names = Array.from({ length: 40 }, (_, at) => `d${at % 5}/f${at}.txt`);
const host: Tree = Object.fromEntries(names.slice(0, 30).map((name) => [name, `old ${name}`]));
const guest: Tree = Object.fromEntries(names.slice(10).map((name) => [name, `new ${name}`]));

async function keep(exchange: Exchange): Promise<string> {
  return (await exchange.run(guest)).set?.id ?? "";
}

/** The process until its end; killed after the delay once it has begun to write. */
async function runUntilKilled(exchange: Exchange, step: number, delayMs?: number): Promise<string> {
  const id = await keep(exchange);
  const child = spawn(process.execPath, [program, exchange.stateDir, id, String(step)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout.once("data", () => {
    if (delayMs !== undefined) setTimeout(() => child.kill("SIGKILL"), delayMs);
  });
  const [, signal] = (await once(child, "exit")) as [number | null, string | null];
  if (step >= 0) expect(signal).toBe("SIGKILL");
  return id;
}

/** What the next start finds: all or nothing, nothing left over, and a set that can still be applied. */
async function expectWhole(exchange: Exchange, id: string, what: string): Promise<void> {
  await recoverApplies(exchange.stateDir, exchange);
  const tree = exchange.tree();
  const isApplied = "d4/f39.txt" in tree;
  expect(tree, what).toEqual(isApplied ? guest : host);
  for (const name of ["applies", "locks"]) {
    const folder = join(exchange.stateDir, name);
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
  }
  if (!isApplied) {
    const { stateDir, store } = exchange;
    await applyChanges(id, { stateDir, store, choice: { kind: "all" } });
    expect(exchange.tree()).toEqual(guest);
  }
}

describe("kill -9 while changes are applied", { timeout: 60_000 }, () => {
  const seed = Number(process.env["KILL_SEED"] ?? 3);
  /** 30 files written, 30 set aside, 30 put, and the writes around them */
  const total = 97;
  const steps = [1, 3, 8, 13, 21, 34].map((at) => (at * 7 + seed * 13) % total);

  test.each([0, ...steps])("at step %i leaves all or nothing", async (step) => {
    using exchange = makeExchange(host);
    const id = await runUntilKilled(exchange, step);
    await expectWhole(exchange, id, `step ${step}`);
  });

  test.each([0, 5, 15, 40])("after %i ms leaves all or nothing", async (delayMs) => {
    using exchange = makeExchange(host);
    const id = await runUntilKilled(exchange, -1, delayMs + (seed % 5));
    await expectWhole(exchange, id, `${delayMs} ms`);
  });
});
