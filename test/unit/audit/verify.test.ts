import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { Audit } from "../../../src/audit/audit.ts";
import { parseExport, renderLine } from "../../../src/audit/audit-export.ts";
import { findRecords } from "../../../src/audit/find-records.ts";
import { openLocalKey } from "../../../src/audit/local-key.ts";
import { itemsOf, verifyChain } from "../../../src/audit/verify-audit.ts";
import type { ChainItem } from "../../../src/audit/verify-audit.ts";
import { Database } from "../../../src/store/database.ts";
import type { Store } from "../../../src/store/store.ts";
import { openOwnStore } from "../../support/open-store.ts";

async function fill(store: Store, stateDir: string, count: number): Promise<void> {
  const audit = await Audit.open(store, await openLocalKey(`${stateDir}/key.pem`));
  await store.commit(() => {
    for (let n = 1; n < count; n++) {
      const kind = n % 100 === 7 ? "decision" : "envelope";
      audit.record({ kind, subject: `S${n % 3}`, facts: { n, text: 'ü\u0000"' } });
    }
  });
}

async function items(count: number): Promise<ChainItem[]> {
  await using own = await openOwnStore();
  await fill(own.store, own.stateDir, count);
  return [...itemsOf(own.store.audit)];
}

async function* bytesOf(lines: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const line of lines) yield await Promise.resolve(Buffer.from(line));
}

describe("an audit", () => {
  it("is verified: its head, its signatures, its key", async () => {
    const all = await items(600);
    const verified = await verifyChain(all);
    const last = all.findLast(({ kind }) => kind === "record");
    expect(verified).toEqual({
      records: 600,
      head: { seq: 599, hash: Buffer.from(last!.row.hash).toString("hex") },
      checkpoints: 3, // two whole blocks, and the newest
      signedThrough: 599,
      keys: [expect.stringMatching(/^[0-9a-f]{32}$/)],
    });
    const head = verified.head!.hash;
    expect(await verifyChain(all, { head })).toEqual(verified);
  });

  it("is verified from its export as well", async () => {
    const all = await items(300);
    const lines = all.map(renderLine);
    expect(await verifyChain(parseExport(bytesOf(lines)))).toEqual(await verifyChain(all));
    const cut = verifyChain(parseExport(bytesOf([...lines.slice(0, 9), "x\n"])));
    await expect(cut).rejects.toMatchObject({ code: "AUDIT_BROKEN", details: { seq: 9 } });
  });

  it("of nothing is whole", async () => {
    expect(await verifyChain([])).toMatchObject({ records: 0, head: null, signedThrough: -1 });
  });

  it("whose key was replaced says so", async () => {
    await using own = await openOwnStore();
    await fill(own.store, own.stateDir, 5);
    const audit = await Audit.open(own.store, await openLocalKey(`${own.stateDir}/other.pem`));
    await own.store.commit(() => audit.record({ kind: "decision", subject: null, facts: {} }));
    expect((await verifyChain(itemsOf(own.store.audit))).keys).toHaveLength(2);
  });

  it("obeys the caller's signal", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(verifyChain(await items(1200), { signal })).rejects.toThrow("enough");
  });

  it("finds any change of any one record or checkpoint, at that record or the next", async () => {
    const all = await items(280);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(all.length - 1),
        fc.constantFrom("facts", "at", "kind", "subject", "hash", "signature", "key", "seq"),
        fc.nat(),
        async (index, field, salt) => {
          const item = all[index]!;
          const changed = changeOne(item, field, salt);
          if (changed === undefined) return;
          const tampered = all.with(index, changed);
          const seq = item.row.seq;
          await expect(verifyChain(tampered)).rejects.toMatchObject({
            code: "AUDIT_BROKEN",
            details: { seq: expect.toSatisfy((at: number) => at <= seq + 1) as number },
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  it("finds whatever was left out, put in twice or exchanged", async () => {
    const all = await items(270);
    const records = all.length - 1;
    await fc.assert(
      fc.asyncProperty(fc.nat(records - 1), fc.nat(records - 1), async (a, b) => {
        const without = all.filter((_item, index) => index !== a);
        await expect(verifyChain(without)).rejects.toMatchObject({ code: "AUDIT_BROKEN" });
        const twice = all.toSpliced(b, 0, all[a]!);
        // a checkpoint beside itself says the same twice
        const isHarmless = all[a]!.kind === "checkpoint" && (b === a || b === a + 1);
        if (!isHarmless) {
          await expect(verifyChain(twice)).rejects.toMatchObject({ code: "AUDIT_BROKEN" });
        }
        if (a === b) return;
        const exchanged = all.with(a, all[b]!).with(b, all[a]!);
        await expect(verifyChain(exchanged)).rejects.toMatchObject({ code: "AUDIT_BROKEN" });
      }),
      { numRuns: 200 },
    );
  });

  it("that was set back is found by the head that was kept, or given", async () => {
    await using own = await openOwnStore();
    await fill(own.store, own.stateDir, 10);
    const back = [...itemsOf(own.store.audit)];
    const audit = await Audit.open(own.store, await openLocalKey(`${own.stateDir}/key.pem`));
    await own.store.commit(() => audit.record({ kind: "envelope", subject: null, facts: {} }));
    const all = [...itemsOf(own.store.audit)];
    const head = (await verifyChain(all)).head!;
    const genesis = Buffer.from(all[0]!.row.hash).toString("hex");
    await verifyChain(back); // nothing in it says that there was more
    const missing = { code: "AUDIT_BROKEN", details: { seq: 10 } };
    const keptHead = { ...head, genesis };
    await expect(verifyChain(back, { keptHead })).rejects.toMatchObject(missing);
    await expect(verifyChain(back, { head: head.hash })).rejects.toMatchObject(missing);
    const other = { ...keptHead, genesis: "0".repeat(64) };
    await expect(verifyChain(all, { keptHead: other })).rejects.toMatchObject({
      details: { seq: 0 },
    });
  });
});

function changeOne(item: ChainItem, field: string, salt: number): ChainItem | undefined {
  const flip = (bytes: Uint8Array): Uint8Array => {
    const copy = Uint8Array.from(bytes);
    copy[salt % copy.length]! ^= 1 << (salt % 8);
    return copy;
  };
  if (field === "hash")
    return { ...item, row: { ...item.row, hash: flip(item.row.hash) } } as ChainItem;
  if (field === "seq") return { ...item, row: { ...item.row, seq: item.row.seq + 1 + (salt % 5) } } as ChainItem; // prettier-ignore
  if (item.kind === "record") {
    const { row } = item;
    if (field === "at") return { ...item, row: { ...row, at: row.at + 1 + (salt % 1000) } };
    if (field === "kind") return { ...item, row: { ...row, kind: `${row.kind}x` } };
    if (field === "subject")
      return { ...item, row: { ...row, subject: row.subject === null ? "" : null } };
    if (field === "facts") return { ...item, row: { ...row, facts: `${row.facts} ` } };
    return undefined;
  }
  if (field === "signature")
    return { ...item, row: { ...item.row, signature: flip(item.row.signature) } };
  if (field === "key") return { ...item, row: { ...item.row, key: `${item.row.key}0` } };
  return undefined;
}

describe("signing", () => {
  it("stops when what came since the last signature was changed", async () => {
    await using own = await openOwnStore();
    const { store, stateDir } = own;
    await fill(store, stateDir, 10);
    const before = store.audit.lastCheckpoint();
    const first = await Audit.open(store, await openLocalKey(`${stateDir}/key.pem`));
    await store.commit(() => first.record({ kind: "envelope", subject: null, facts: { n: 1 } }));
    const outside = new Database(`${stateDir}/ledger.sqlite`);
    outside.exec("DROP TRIGGER audit_is_not_changed; UPDATE audit SET facts = '{}' WHERE seq = 10");
    outside.close();
    const audit = await Audit.open(store, await openLocalKey(`${stateDir}/key.pem`));
    await store.commit(() => audit.record({ kind: "decision", subject: null, facts: {} }));
    expect(store.audit.lastCheckpoint()).toEqual(before);
    await expect(verifyChain(itemsOf(store.audit))).rejects.toMatchObject({ details: { seq: 10 } });
  });

  it("goes on after a work that was undone", async () => {
    await using own = await openOwnStore();
    const { store, stateDir } = own;
    const audit = await Audit.open(store, await openLocalKey(`${stateDir}/key.pem`));
    const decide = (fails: boolean): Promise<void> =>
      store.commit(() => {
        for (let n = 0; n < 200; n++)
          audit.record({ kind: "decision", subject: null, facts: { n } });
        if (fails) throw new Error("no");
      });
    await Promise.allSettled([decide(false), decide(true), decide(false)]);
    await decide(false);
    expect(await verifyChain(itemsOf(store.audit))).toMatchObject({
      records: 601,
      signedThrough: 600,
    });
  });
});

describe("records", () => {
  it("are found by kind, subject, time and number, the newest of them", async () => {
    await using own = await openOwnStore();
    await fill(own.store, own.stateDir, 120);
    const find = (filter: object): number[] =>
      findRecords(own.store.audit.newest(), filter).map(({ seq }) => seq);
    expect(find({ kind: "decision" })).toEqual([7, 107]);
    expect(find({ subject: "S1", limit: 2 })).toEqual([115, 118]);
    expect(find({ since: Date.now() + 60_000 })).toEqual([]);
    expect(find({})).toHaveLength(100);
  });
});
