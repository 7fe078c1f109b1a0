import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { isLuminaGuardError } from "../../../src/errors.ts";
import { applyChanges } from "../../../src/workspace/apply.ts";
import { ownedName } from "../../../src/process/owned-name.ts";
import { recoverApplies } from "../../../src/workspace/recover.ts";
import { lockWorkspace } from "../../../src/workspace/workspace-lock.ts";
import {
  Died,
  dieAfter,
  expectNothingLeft,
  failure,
  guest,
  host,
  keep,
} from "../../support/dying-apply.ts";
import { makeExchange, type Exchange } from "../../support/exchange.ts";
import { makeTempDir, makeTree, readTree } from "../../support/make-tree.ts";

async function countSteps(): Promise<number> {
  using exchange = makeExchange(host);
  const { id, options } = await keep(exchange);
  const all = dieAfter(Infinity);
  await applyChanges(id, { ...options, probe: all.probe });
  expect(exchange.tree()).toEqual(guest);
  return all.count();
}

describe("an apply that dies", { timeout: 60_000 }, () => {
  test.each([
    ["with hard links", true],
    ["without hard links", false],
  ])("at any step is undone or finished by the next start, never half, %s", async (_, hasLinks) => {
    const steps = await countSteps();
    expect(steps).toBeGreaterThan(20);
    const ends = new Set<string>();
    for (let step = 0; step < steps; step++) {
      using exchange = makeExchange(host);
      const { id, options } = await keep(exchange);
      const { probe } = dieAfter(step, hasLinks);
      await expect(applyChanges(id, { ...options, probe })).rejects.toThrow();
      const [recovery] = await recoverApplies(exchange.stateDir, exchange);
      const end = recovery?.kind ?? "nothing to do";
      ends.add(end);
      expect(exchange.tree(), `step ${step}: ${end}`).toEqual(end === "finished" ? guest : host);
      expectNothingLeft(exchange);
      const left = await exchange.store.list();
      expect(left).toHaveLength(end === "finished" ? 0 : 1);
    }
    expect([...ends].sort()).toEqual(["finished", "nothing to do", "undone"]);
  });

  test.each([true, false])(
    "and whose recovery dies too is recovered by the one after",
    async (hasLinks) => {
      const steps = await countSteps();
      for (const step of [steps - 4, Math.floor(steps / 2)]) {
        for (let again = 0; ; again += 3) {
          using exchange = makeExchange(host);
          const { id, options } = await keep(exchange);
          const first = dieAfter(step, hasLinks);
          await expect(applyChanges(id, { ...options, probe: first.probe })).rejects.toThrow();
          const second = dieAfter(again);
          const { store, stateDir } = exchange;
          const [cut] = await recoverApplies(stateDir, { store, probe: second.probe });
          const [rest] = await recoverApplies(stateDir, { store });
          const end = (cut?.kind === "failed" ? rest : cut)?.kind;
          expect(exchange.tree(), `${step}/${again}`).toEqual(end === "finished" ? guest : host);
          expectNothingLeft(exchange);
          if (cut?.kind !== "failed") break;
        }
      }
    },
  );

  test("of a single failed write undoes itself at once", async () => {
    const steps = await countSteps();
    for (let step = 1; step <= steps; step++) {
      using exchange = makeExchange(host);
      const { id, options } = await keep(exchange);
      let count = 0;
      const probe = (): void => {
        count += 1;
        if (count === step) throw failure("ENOSPC");
      };
      const error: unknown = await applyChanges(id, { ...options, probe }).catch((e: unknown) => e);
      const isDone = isLuminaGuardError(error, "APPLY_FAILED");
      if (!isDone) {
        expect(error).toMatchObject({
          code: "HOST_LIMIT",
          hint: expect.stringContaining("disk") as string,
        });
        expectNothingLeft(exchange);
      }
      expect(exchange.tree()).toMatchObject(isDone ? guest : host);
      await recoverApplies(exchange.stateDir, exchange);
      expect(exchange.tree()).toEqual(isDone ? guest : host);
      expectNothingLeft(exchange);
    }
  });
});

/** An exchange whose apply died right before it became final. */
async function makeHalfDone(): Promise<Exchange> {
  const exchange = makeExchange(host);
  const { id, options } = await keep(exchange);
  let isDead = false;
  const probe = (what: string): void => {
    isDead ||= what === "journal: done";
    if (isDead) throw new Died("died");
  };
  await expect(applyChanges(id, { ...options, probe })).rejects.toThrow();
  expect(exchange.tree()).toMatchObject(guest);
  return exchange;
}

describe("recovering", () => {
  test("keeps what a person edited after the crash, under another name", async () => {
    using exchange = await makeHalfDone();
    writeFileSync(join(exchange.root, "a.txt"), "precious");
    const [recovery] = await recoverApplies(exchange.stateDir, exchange);
    if (recovery?.kind !== "undone") throw new Error("not undone");
    const [name = ""] = recovery.kept;
    expect(name).toMatch(/^a\.txt\.edited-/);
    expect(exchange.tree()).toEqual({ ...host, [name]: "precious" });
  });

  test("puts the old file beside one that a person has put in its place", async () => {
    using exchange = await makeHalfDone();
    rmSync(join(exchange.root, "a.txt"));
    writeFileSync(join(exchange.root, "a.txt"), "precious");
    const [recovery] = await recoverApplies(exchange.stateDir, exchange);
    if (recovery?.kind !== "undone") throw new Error("not undone");
    const [name = ""] = recovery.kept;
    expect(name).toMatch(/^a\.txt\.before-/);
    expect(exchange.tree()).toEqual({ ...host, "a.txt": "precious", [name]: "a" });
  });

  test("leaves folders into which a person has put something", async () => {
    using exchange = await makeHalfDone();
    writeFileSync(join(exchange.root, "new/er/mine.txt"), "precious");
    await recoverApplies(exchange.stateDir, exchange);
    expect(exchange.tree()).toEqual({ ...host, "new/er/mine.txt": "precious" });
  });

  test("makes a folder again that a person has removed", async () => {
    using exchange = await makeHalfDone();
    rmSync(join(exchange.root, "stay"), { recursive: true });
    rmSync(join(exchange.root, "new"), { recursive: true });
    await recoverApplies(exchange.stateDir, exchange);
    expect(exchange.tree()).toEqual(host);
  });

  test("does not follow a link that has taken a folder's place, and says so", async () => {
    using exchange = await makeHalfDone();
    using outside = makeTempDir();
    makeTree(outside.path, { x: "canary" });
    rmSync(join(exchange.root, "deep"), { recursive: true, force: true });
    symlinkSync(outside.path, join(exchange.root, "deep"));
    const [recovery] = await recoverApplies(exchange.stateDir, exchange);
    expect(recovery).toMatchObject({ kind: "failed", root: exchange.root });
    expect(readTree(outside.path)).toEqual({ x: "canary" });
    rmSync(join(exchange.root, "deep"));
    expect(await recoverApplies(exchange.stateDir, exchange)).toMatchObject([{ kind: "undone" }]);
    expect(exchange.tree()).toEqual(host);
  });

  test("leaves an apply alone that is under way in another process", async () => {
    using exchange = await makeHalfDone();
    const lock = await lockWorkspace(exchange.stateDir, exchange.root);
    expect(await recoverApplies(exchange.stateDir, exchange)).toEqual([]);
    expect(exchange.tree()).toMatchObject(guest);
    await lock.release();
    expect(await recoverApplies(exchange.stateDir, exchange)).toMatchObject([{ kind: "undone" }]);
  });

  test("puts a damaged journal aside and says so", async () => {
    using temp = makeTempDir();
    using exchange = makeExchange({});
    const applies = join(temp.path, "applies");
    mkdirSync(applies);
    writeFileSync(join(applies, "0123456789ab.json"), "{");
    writeFileSync(join(applies, "0123456789ac.json"), "{}");
    const done = await recoverApplies(temp.path, exchange);
    expect(done.map(({ kind }) => kind)).toEqual(["failed", "failed"]);
    expect(readdirSync(applies)).toEqual(["0123456789ab.damaged", "0123456789ac.damaged"]);
    expect(await recoverApplies(temp.path, exchange)).toEqual([]);
  });

  test("refuses a journal whose paths leave the workspace", async () => {
    using exchange = await makeHalfDone();
    const applies = join(exchange.stateDir, "applies");
    const [name = ""] = readdirSync(applies);
    const text = readFileSync(join(applies, name), "utf8");
    writeFileSync(join(applies, name), text.replace('"path":"a.txt"', '"path":"../a.txt"'));
    expect(await recoverApplies(exchange.stateDir, exchange)).toMatchObject([{ kind: "failed" }]);
  });

  test("finishes an apply whose set was dropped meanwhile", async () => {
    using exchange = makeExchange(host);
    const { id, options } = await keep(exchange);
    const probe = (what: string): void => {
      if (what === "settle the change set") throw new Died("died");
    };
    await expect(applyChanges(id, { ...options, probe })).rejects.toMatchObject({
      code: "APPLY_FAILED",
    });
    await exchange.store.remove(id);
    expect(await recoverApplies(exchange.stateDir, exchange)).toMatchObject([{ kind: "finished" }]);
    expect(exchange.tree()).toEqual(guest);
  });

  test("obeys the caller's signal, and clears journals that dead processes left half written", async () => {
    using exchange = await makeHalfDone();
    const applies = join(exchange.stateDir, "applies");
    const living = ownedName(".draft-");
    for (const name of [".draft-4194303-1-ab", living]) writeFileSync(join(applies, name), "{");
    const signal = AbortSignal.abort(new Error("mine"));
    await expect(recoverApplies(exchange.stateDir, { ...exchange, signal })).rejects.toThrow(
      "mine",
    );
    expect(readdirSync(applies).sort()).toContain(living);
    await recoverApplies(exchange.stateDir, exchange);
    expect(readdirSync(applies)).toEqual([living]);
    expect(await recoverApplies(join(exchange.stateDir, "nowhere"), exchange)).toEqual([]);
  });

  test("does nothing about a journal that its owner ends at that moment", async () => {
    using exchange = await makeHalfDone();
    const applies = join(exchange.stateDir, "applies");
    const [name = ""] = readdirSync(applies);
    const text = readFileSync(join(applies, name));
    rmSync(join(applies, name));
    symlinkSync("nowhere", join(applies, name));
    expect(await recoverApplies(exchange.stateDir, exchange)).toEqual([]);
    rmSync(join(applies, name));
    // a pipe is there at the first look and empty at the second
    execFileSync("mkfifo", [join(applies, name)]);
    const looks = (async () => {
      await writeFile(join(applies, name), text);
      const locks = join(exchange.stateDir, "locks");
      while (readdirSync(locks).length === 0) await setImmediate();
      await writeFile(join(applies, name), "");
    })();
    expect(await recoverApplies(exchange.stateDir, exchange)).toEqual([]);
    await looks;
    expect(exchange.tree()).toMatchObject(guest);
  });

  test("does not undo twice what was undone once, even if clearing up was cut short", async () => {
    using exchange = await makeHalfDone();
    const { store, stateDir } = exchange;
    const probe = (what: string): void => {
      if (what === "remove the apply folder") throw new Died("died");
    };
    expect(await recoverApplies(stateDir, { store, probe })).toMatchObject([{ kind: "failed" }]);
    const [folder = ""] = readdirSync(exchange.root).filter((name) =>
      name.startsWith(".luminaguard"),
    );
    rmSync(join(exchange.root, folder, "new"), { recursive: true });
    makeTree(exchange.root, { "new/er/y.txt": "precious" });
    expect(await recoverApplies(stateDir, { store })).toMatchObject([{ kind: "undone", kept: [] }]);
    expect(exchange.tree()).toEqual({ ...host, "new/er/y.txt": "precious" });
    expectNothingLeft(exchange);
  });
});
