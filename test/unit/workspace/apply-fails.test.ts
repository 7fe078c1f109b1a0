import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { applyChanges, type ApplyOptions } from "../../../src/workspace/apply.ts";
import { ChangeStore } from "../../../src/workspace/change-store.ts";
import { recoverApplies } from "../../../src/workspace/recover.ts";
import { Died, expectNothingLeft, failure, guest, host, keep } from "../../support/dying-apply.ts";
import { makeExchange, type Exchange } from "../../support/exchange.ts";
import { readTree } from "../../support/make-tree.ts";

describe("an apply that fails", { timeout: 60_000 }, () => {
  async function applyWith(
    exchange: Exchange,
    probe: (what: string) => void,
    more: Partial<ApplyOptions> = {},
  ): Promise<unknown> {
    const { id, options } = await keep(exchange);
    return await applyChanges(id, { ...options, probe, ...more }).catch((error: unknown) => error);
  }

  /** Throws once, at the first write of that name. */
  function failAt(
    name: string,
    error: Error,
    before: () => void = () => undefined,
  ): (what: string) => void {
    let isDone = false;
    return (what) => {
      if (isDone || !what.startsWith(name)) return;
      isDone = true;
      before();
      throw error;
    };
  }

  test("for a reason of its own says that nothing was applied", async () => {
    using exchange = makeExchange(host);
    expect(await applyWith(exchange, failAt("put file", new Died("odd")))).toMatchObject({
      code: "APPLY_FAILED",
      message: "nothing was applied: odd",
    });
    expect(exchange.tree()).toEqual(host);
  });

  test("in the flush after the decision goes on to its end", async () => {
    using exchange = makeExchange(host);
    const decide = (): void => {
      const applies = join(exchange.stateDir, "applies");
      const [name = ""] = readdirSync(applies);
      const text = readFileSync(join(applies, name), "utf8");
      writeFileSync(join(applies, name), text.replace('"phase":"moving"', '"phase":"done"'));
    };
    const probe = failAt("journal: done", failure("EIO"), decide);
    expect(await applyWith(exchange, probe)).toMatchObject({ remaining: undefined });
    expect(exchange.tree()).toEqual(guest);
    expectNothingLeft(exchange);
  });

  test("because its set cannot be settled is finished by the next start", async () => {
    using exchange = makeExchange(host);
    class FullStore extends ChangeStore {
      override settle(): Promise<void> {
        return Promise.reject(failure("ENOSPC"));
      }
    }
    const store = new FullStore(exchange.stateDir);
    expect(await applyWith(exchange, () => undefined, { store })).toMatchObject({
      code: "APPLY_FAILED",
    });
    expect(await recoverApplies(exchange.stateDir, { store })).toMatchObject([{ kind: "failed" }]);
    expect(await recoverApplies(exchange.stateDir, exchange)).toMatchObject([{ kind: "finished" }]);
    expect(exchange.tree()).toEqual(guest);
    expectNothingLeft(exchange);
  });

  test("because the caller gave up while it wrote leaves no trace", async () => {
    using exchange = makeExchange(host);
    const gaveUp = new AbortController();
    const probe = (what: string): void => {
      if (what === "write a file") gaveUp.abort(new Error("mine"));
    };
    const error = await applyWith(exchange, probe, { signal: gaveUp.signal });
    expect(error).toMatchObject({ message: "mine" });
    expect(exchange.tree()).toEqual(host);
    expectNothingLeft(exchange);
  });

  test.each([
    ["set aside a.txt", "a.txt", (root: string) => writeFileSync(join(root, "a.txt"), "person")],
    ["put file a.txt", "a.txt", (root: string) => writeFileSync(join(root, "a.txt"), "person")],
    [
      "put file new/er/y.txt",
      "new/er/y.txt",
      (root: string) => writeFileSync(join(root, "new/er/y.txt"), "person"),
    ],
    ["put link l", "l", (root: string) => writeFileSync(join(root, "l"), "person")],
    ["make folder new", "new", (root: string) => mkdirSync(join(root, "new"))],
    ["remove folder d", "d", (root: string) => writeFileSync(join(root, "d/mine"), "person")],
    ["set aside run.sh", "run.sh", (root: string) => rmSync(join(root, "run.sh"))],
    [
      "set aside a.txt",
      "deep/er/gone.txt",
      (root: string) => {
        renameSync(join(root, "deep/er"), join(root, "deep/was"));
        symlinkSync("was", join(root, "deep/er"));
      },
    ],
  ])(
    "because of a person at the last moment (%s) loses nothing of theirs",
    async (name, path, meddle) => {
      for (const hasLinks of [true, false]) {
        using exchange = makeExchange(host);
        let theirs: unknown;
        const probe = (what: string): void => {
          if (what.startsWith(name) && theirs === undefined) {
            meddle(exchange.root);
            theirs = readTree(exchange.root)[path] ?? "gone";
          }
          if (what.startsWith("link ") && !hasLinks) throw failure("EPERM");
        };
        const error = await applyWith(exchange, probe);
        expect(theirs).toBeDefined();
        if (name === "set aside deep") {
          expect(exchange.tree()).toMatchObject(guest);
          continue;
        }
        expect(error).toMatchObject({ code: "CHANGES_CONFLICT" });
        const tree = exchange.tree();
        if (theirs === "person") {
          const kept = Object.entries(tree).filter(([, node]) => node === "person");
          expect(kept).toHaveLength(1);
        }
        for (const [other, node] of Object.entries(host)) {
          if (other !== path) expect(tree[other], other).toEqual(node);
        }
      }
    },
  );
});
