import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ApprovalRow } from "../../../src/store/approval-table.ts";
import { Database } from "../../../src/store/database.ts";
import { migrate, migrations } from "../../../src/store/migrations.ts";
import { Store } from "../../../src/store/store.ts";
import { makeStateFolder, openOwnStore } from "../../support/open-store.ts";

const year = 365 * 24 * 3600 * 1000;

function row(id: string, change: Partial<ApprovalRow> = {}): ApprovalRow {
  return {
    ...{ id, shortId: "7K2M", run: "r1", state: "pending", digest: "d", envelope: "{}" },
    ...{ verdict: "{}", decision: null, outcome: "", owner: "1-1", stateAt: 1 },
    ...{ keptUntil: Date.now() + year, wasPrompt: true },
    ...change,
  };
}

describe("a store", () => {
  it("is one private file that later starts read", async () => {
    using folder = makeStateFolder();
    {
      await using store = await Store.open({ stateDir: folder.path });
      await store.commit(() => store.approvals.insert(row("A")));
      expect(statSync(join(folder.path, "ledger.sqlite")).mode & 0o777).toBe(0o600);
      expect(statSync(join(folder.path, "ledger.sqlite-wal")).mode & 0o777).toBe(0o600);
    }
    await using store = await Store.open({ stateDir: folder.path });
    expect(store.approvals.get("A")).toEqual(row("A", { keptUntil: expect.any(Number) as number }));
  });

  it("undoes what a work that throws did, and that alone", async () => {
    await using own = await openOwnStore();
    const { store } = own;
    const results = await Promise.allSettled([
      store.commit(() => store.approvals.insert(row("A"))),
      store.commit(() => {
        store.approvals.insert(row("B"));
        throw new Error("no");
      }),
      store.commit(() => store.approvals.insert(row("A"))),
      store.commit(() => {
        store.approvals.insert(row("C"));
        return 3;
      }),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "rejected",
      "fulfilled",
    ]);
    expect(results[1]).toMatchObject({ reason: { message: "no" } });
    expect(results[2]).toMatchObject({ reason: { code: "STORE_FAILED" } });
    expect(results[3]).toMatchObject({ value: 3 });
    expect(store.approvals.ids({})).toEqual(["A", "C"]);
  });

  it("refuses works when too many wait, and what comes after its end", async () => {
    await using own = await openOwnStore({ waitingMax: 2 });
    const { store } = own;
    const results = await Promise.allSettled([1, 2, 3].map((n) => store.commit(() => n)));
    expect(results.slice(0, 2)).toMatchObject([{ value: 1 }, { value: 2 }]);
    expect(results[2]).toMatchObject({ reason: { code: "STORE_FAILED" } });
    const last = store.commit(() => "last");
    await store[Symbol.asyncDispose]();
    expect(await last).toBe("last");
    await expect(store.commit(() => 0)).rejects.toMatchObject({ code: "STORE_FAILED" });
  });

  it("is written inside commits only", async () => {
    await using own = await openOwnStore();
    expect(() => own.store.approvals.insert(row("A"))).toThrow("inside a commit only");
  });

  it("lets no envelope be changed and no record be changed or removed", async () => {
    await using own = await openOwnStore();
    const database = new Database(join(own.stateDir, "ledger.sqlite"));
    await own.store.commit(() => {
      own.store.approvals.insert(row("A"));
      const hash = new Uint8Array(32);
      own.store.audit.append({ seq: 0, at: 1, kind: "k", subject: null, facts: "{}", hash });
    });
    const statements = [
      "UPDATE approvals SET envelope = 'x'",
      "UPDATE audit SET facts = 'x'",
      "DELETE FROM audit",
    ];
    for (const sql of statements) {
      expect(() => database.exec(sql)).toThrow(/never changes|only appended/);
    }
    database.close();
  });

  it("moves a row from the state it is in, once", async () => {
    await using own = await openOwnStore();
    const { store } = own;
    await store.commit(() => store.approvals.insert(row("A")));
    const move = (to: string): Promise<boolean> =>
      store.commit(() => store.approvals.move("A", "pending", to, { outcome: to }, 5));
    expect(await Promise.all([move("approved"), move("rejected")])).toEqual([true, false]);
    expect(store.approvals.get("A")).toMatchObject({ state: "approved", outcome: "approved", stateAt: 5 }); // prettier-ignore
    expect(await store.commit(() => store.approvals.move("B", "pending", "x", {}, 5))).toBe(false);
  });

  it("forgets what was kept long enough when it is opened, and keeps the audit", async () => {
    using folder = makeStateFolder();
    {
      await using store = await Store.open({ stateDir: folder.path });
      await store.commit(() => {
        for (let n = 0; n < 1200; n++) {
          store.approvals.insert(row(`A${n}`, { keptUntil: Date.now() + 1000 }));
        }
        store.approvals.insert(row("B"));
        const hash = new Uint8Array(32);
        store.audit.append({ seq: 0, at: 1, kind: "k", subject: null, facts: "{}", hash });
      });
    }
    const clock = { wall: () => Date.now() + 2000, elapsed: () => performance.now() };
    await using store = await Store.open({ stateDir: folder.path, clock });
    expect(store.approvals.ids({})).toEqual(["B"]);
    expect(store.audit.last()).toMatchObject({ seq: 0 });
  });

  it("tells of commits: its own at once, another's within 100 ms", async () => {
    using folder = makeStateFolder();
    await using one = await Store.open({ stateDir: folder.path });
    await using other = await Store.open({ stateDir: folder.path });
    const seen: boolean[] = [];
    const heard = new Promise<boolean>((resolve) => {
      other.onChange(({ isForeign }) => resolve(isForeign));
    });
    one.onChange(({ isForeign }) => seen.push(isForeign));
    await one.commit(() => one.approvals.insert(row("A")));
    expect(seen).toEqual([false]);
    const from = performance.now();
    expect(await heard).toBe(true);
    expect(performance.now() - from).toBeLessThan(100);
  });
});

describe("time in a store", () => {
  it("never goes back, whatever the wall clock does and however often the store is opened", async () => {
    using folder = makeStateFolder();
    let wall = 1_000_000;
    let elapsed = 0;
    const clock = { wall: () => wall, elapsed: () => elapsed };
    {
      await using store = await Store.open({ stateDir: folder.path, clock });
      expect(store.now()).toBe(1_000_000);
      wall = 500_000; // set back
      elapsed = 10;
      expect(store.now()).toBe(1_000_010);
      wall = 2_000_000; // set forward
      expect(store.now()).toBe(2_000_000);
      await store.commit(() => undefined);
    }
    wall = 100;
    elapsed = 0;
    await using store = await Store.open({ stateDir: folder.path, clock });
    expect(store.now()).toBe(2_000_000);
    elapsed = 7;
    expect(store.now()).toBe(2_000_007);
  });

  it("is as late in one process as what another stored", async () => {
    using folder = makeStateFolder();
    const elapsed = (): number => 0;
    await using late = await Store.open({
      stateDir: folder.path,
      clock: { wall: () => 900, elapsed },
    });
    await using early = await Store.open({
      stateDir: folder.path,
      clock: { wall: () => 1, elapsed },
    });
    await late.commit(() => undefined);
    expect(await early.commit(() => early.now())).toBe(900);
  });
});

describe("opening a store", () => {
  it("brings an older form forward, and refuses one of a later version", () => {
    using folder = makeStateFolder();
    const database = new Database(join(folder.path, "ledger.sqlite"));
    migrate(database);
    const next = [...migrations, "CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT"];
    migrate(database, next);
    expect(database.first("SELECT count(*) AS n FROM more")).toEqual({ n: 0 });
    expect(database.first("PRAGMA user_version")).toEqual({ user_version: next.length });
    migrate(database, next);
    expect(() => migrate(database)).toThrow("was written by a later LuminaGuard");
    database.close();
  });

  it("leaves the old form when a step fails", () => {
    using folder = makeStateFolder();
    const database = new Database(join(folder.path, "ledger.sqlite"));
    migrate(database);
    const broken = [
      ...migrations,
      "CREATE TABLE more (id INTEGER); CREATE TABLE more (id INTEGER)",
    ];
    expect(() => migrate(database, broken)).toThrow("already exists");
    expect(database.first("SELECT count(*) AS n FROM sqlite_master WHERE name = 'more'")).toEqual({ n: 0 }); // prettier-ignore
    expect(database.first("PRAGMA user_version")).toEqual({ user_version: migrations.length });
    database.close();
  });

  it("refuses a file that is no database", async () => {
    using folder = makeStateFolder();
    writeFileSync(join(folder.path, "ledger.sqlite"), "garbage".repeat(1000));
    await expect(Store.open({ stateDir: folder.path })).rejects.toMatchObject({
      code: "STORE_FAILED",
      hint: expect.stringContaining("move ledger.sqlite") as string,
    });
  });
});
