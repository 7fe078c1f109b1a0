import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { createDeferred } from "../../../src/base/deferred.ts";
import type { Deferred } from "../../../src/base/deferred.ts";
import { Pool } from "../../../src/vm/pool.ts";
import type { Pooled } from "../../../src/vm/pool.ts";

class FakeMachine implements Pooled {
  readonly #end: Deferred<undefined> = createDeferred();
  readonly number: number;
  stops = 0;

  constructor(number: number) {
    this.number = number;
  }

  get exited(): Promise<unknown> {
    return this.#end.promise;
  }

  die(): void {
    this.#end.resolve(undefined);
  }

  stop(): Promise<void> {
    this.stops += 1;
    this.die();
    return Promise.resolve();
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A pool whose machines are there when the test says so. */
function createPool(size: number, waitingMax?: number): Bench {
  const made: FakeMachine[] = [];
  const asked: { readonly machine: Deferred<FakeMachine>; readonly signal: AbortSignal }[] = [];
  const pool = new Pool<FakeMachine>({
    size,
    ...(waitingMax !== undefined && { waitingMax }),
    prepare: (signal) => {
      const machine = createDeferred<FakeMachine>();
      asked.push({ machine, signal });
      return machine.promise;
    },
  });
  return {
    pool,
    made,
    asked: () => asked.length,
    signals: () => asked.map(({ signal }) => signal),
    deliver: async () => {
      const machine = new FakeMachine(made.length);
      made.push(machine);
      asked[machine.number]?.machine.resolve(machine);
      await settle();
      return machine;
    },
    refuse: async (reason) => {
      made.push(new FakeMachine(made.length));
      asked[made.length - 1]?.machine.reject(reason);
      await settle();
    },
  };
}

interface Bench {
  readonly pool: Pool<FakeMachine>;
  readonly made: FakeMachine[];
  /** machines that were asked for so far */
  readonly asked: () => number;
  readonly signals: () => readonly AbortSignal[];
  /** the next machine asked for is there */
  readonly deliver: () => Promise<FakeMachine>;
  /** the next machine asked for cannot be made */
  readonly refuse: (reason: Error) => Promise<void>;
}

describe("a pool", () => {
  it.each([0, -1, 1.5, 65, Number.NaN])("refuses the size %d", (size) => {
    expect(() => createPool(size)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });

  it("prepares as many machines as it has room for, at once", async () => {
    const bench = createPool(3);
    expect(bench.asked()).toBe(3);
    for (let count = 0; count < 3; count++) await bench.deliver();
    expect(bench.pool.ready).toBe(3);
    expect(bench.asked()).toBe(3);
  });

  it("hands over the machine that waited longest, and makes another", async () => {
    const bench = createPool(2);
    const [first] = [await bench.deliver(), await bench.deliver()];
    expect(await bench.pool.claim()).toBe(first);
    expect(bench.asked()).toBe(3);
    expect(bench.pool.ready).toBe(1);
  });

  it("gives a claimed machine a head start, unless somebody waits for the next", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      let asked = 0;
      const prepare = (): Promise<FakeMachine> => Promise.resolve(new FakeMachine(asked++));
      await using pool = new Pool<FakeMachine>({ size: 1, refillDelayMs: 20, prepare });
      await settle();
      await pool.claim();
      vi.advanceTimersByTime(19);
      await settle();
      expect(asked).toBe(1);
      vi.advanceTimersByTime(1);
      await settle();
      expect([asked, pool.ready]).toEqual([2, 1]);
      await pool.claim();
      const waiting = pool.claim();
      expect(asked).toBe(3);
      await waiting;
    } finally {
      vi.useRealTimers();
    }
  });

  it("serves claims in the order they came", async () => {
    const bench = createPool(1);
    const claims = [bench.pool.claim(), bench.pool.claim(), bench.pool.claim()];
    for (const claim of claims) expect(await bench.deliver()).toBe(await claim);
  });

  it("is full again after claims that had to wait", async () => {
    const bench = createPool(1);
    const claim = bench.pool.claim();
    await bench.deliver();
    await claim;
    expect(bench.asked()).toBe(2);
    await bench.deliver();
    expect(bench.pool.ready).toBe(1);
  });

  it("replaces a machine that ends while it waits", async () => {
    const bench = createPool(1);
    const machine = await bench.deliver();
    machine.die();
    await settle();
    expect(bench.pool.ready).toBe(0);
    const next = await bench.deliver();
    expect(await bench.pool.claim()).toBe(next);
  });

  it("no longer minds a machine that was claimed", async () => {
    const bench = createPool(1);
    const machine = await bench.deliver();
    await bench.pool.claim();
    machine.die();
    await settle();
    expect(bench.asked()).toBe(2);
  });

  it("tells a waiting claim why there is no machine, and serves the next", async () => {
    const bench = createPool(1);
    const [one, other] = [bench.pool.claim(), bench.pool.claim()];
    const reason = new Error("no room");
    const failed = expect(one).rejects.toBe(reason);
    await bench.refuse(reason);
    await failed;
    expect(await bench.deliver()).toBe(await other);
  });

  it("does not try again and again when nobody waits, but for the next claim", async () => {
    const bench = createPool(1);
    await bench.refuse(new Error("no room"));
    expect(bench.asked()).toBe(1);
    const claim = bench.pool.claim();
    expect(await bench.deliver()).toBe(await claim);
  });

  it("forgets a claim whose caller has gone", async () => {
    const bench = createPool(1);
    const over = new AbortController();
    const reason = new Error("enough");
    const [left, stays] = [bench.pool.claim(over.signal), bench.pool.claim()];
    over.abort(reason);
    await expect(left).rejects.toBe(reason);
    expect(await bench.deliver()).toBe(await stays);
    await expect(bench.pool.claim(over.signal)).rejects.toBe(reason);
  });

  it("lets only so many claims wait", async () => {
    const bench = createPool(1, 1);
    const waits = bench.pool.claim();
    await expect(bench.pool.claim()).rejects.toMatchObject({ code: "HOST_LIMIT" });
    await bench.deliver();
    await waits;
  });

  it("ends what waits when it closes, also what comes after, and refuses claims", async () => {
    const bench = createPool(2);
    const machine = await bench.deliver();
    const closing = bench.pool.close();
    const late = await bench.deliver();
    await closing;
    expect([machine.stops, late.stops]).toEqual([1, 1]);
    expect(bench.signals().every(({ aborted }) => aborted)).toBe(true);
    await expect(bench.pool.claim()).rejects.toMatchObject({ code: "VM_STATE" });
    expect(bench.asked()).toBe(2);
  });

  it("refuses the claims that wait when it closes", async () => {
    const bench = createPool(1);
    const claim = bench.pool.claim();
    const refused = expect(claim).rejects.toMatchObject({ code: "VM_STATE" });
    const closing = bench.pool.close();
    await bench.refuse(new Error("cancelled"));
    await Promise.all([refused, closing]);
  });

  it("leaves a machine that was claimed to its owner when it closes with its scope", async () => {
    const bench = createPool(1);
    const machine = await bench.deliver();
    {
      await using pool = bench.pool;
      await pool.claim();
      void bench.deliver();
    }
    expect(machine.stops).toBe(0);
    expect(bench.made[1]?.stops).toBe(1);
  });

  it("gives each machine to one claim, and every claim one, however they race", async () => {
    const run = async (s: fc.Scheduler, size: number, claimCount: number): Promise<void> => {
      let number = 0;
      const pool = new Pool<FakeMachine>({
        size,
        prepare: () => s.schedule(Promise.resolve(new FakeMachine(number++)), "prepare"),
      });
      const claims = Array.from({ length: claimCount }, () =>
        s.schedule(Promise.resolve(), "claim").then(() => pool.claim()),
      );
      const got = await s.waitFor(Promise.all(claims));
      expect(new Set(got).size).toBe(claimCount);
      const closing = pool.close();
      await s.waitIdle();
      await closing;
      expect(got.every(({ stops }) => stops === 0)).toBe(true);
    };
    const sizes = fc.integer({ min: 1, max: 4 });
    const counts = fc.integer({ min: 1, max: 8 });
    await fc.assert(fc.asyncProperty(fc.scheduler(), sizes, counts, run), { numRuns: 100 });
  });
});
