import { describe, expect, it } from "vitest";
import type { SignedDecision } from "../../../../src/approvals/approval.ts";
import type { Grant } from "../../../../src/approvals/grant.ts";
import type { Ledger } from "../../../../src/approvals/ledger.ts";
import { ownerName } from "../../../../src/process/owner-name.ts";
import { openLedger } from "../../../../src/runtime/ledger/open-ledger.ts";
import type { OpenLedger } from "../../../../src/runtime/ledger/open-ledger.ts";
import { makeApproval, makeEnvelope } from "../../../support/make-approval.ts";
import { makeStateFolder } from "../../../support/open-store.ts";

interface OwnLedger extends AsyncDisposable {
  readonly ledger: Ledger;
  readonly open: OpenLedger;
  readonly stateDir: string;
}

async function openOwnLedger(): Promise<OwnLedger> {
  const folder = makeStateFolder();
  const open = await openLedger({ stateDir: folder.path, configDir: folder.path });
  return {
    ledger: open.ledger,
    open,
    stateDir: folder.path,
    [Symbol.asyncDispose]: async () => {
      await open[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

const grant: Grant = {
  id: "01JZZZZZZZZZZZZZZZZZZZZZZZ",
  scope: {
    who: "run",
    effect: "mcp-call",
    tool: "a.b",
    run: null,
    task: null,
    args: { "/x": "1" },
  },
  text: "permit (…);",
  usesMax: 2,
  uses: 0,
  createdAt: "2026-01-01T00:00:00.000Z",
  expiresAt: "2999-01-01T00:00:00.000Z",
  revokedAt: null,
};

describe("the ledger", () => {
  it("gives an approval back as it was put in, by id and by the newest short id", async () => {
    await using own = await openOwnLedger();
    const { ledger } = own;
    const older = makeApproval(makeEnvelope(), { shortId: "70K1" });
    const newer = makeApproval(makeEnvelope(), { shortId: "70K1" });
    await ledger.commit((transaction) => {
      transaction.insert(older);
      transaction.insert(newer);
      expect(transaction.get(older.envelope.id)).toEqual(older);
    });
    expect(ledger.get(older.envelope.id)).toEqual(older);
    expect(ledger.find(" 7okl ")).toEqual(newer);
    expect(ledger.find(older.envelope.id.toLowerCase())).toEqual(older);
    expect(ledger.find("NONE")).toBeUndefined();
    expect(ledger.list()).toEqual([newer, older]);
    expect(ledger.pendingIds()).toEqual([older.envelope.id, newer.envelope.id]);
  });

  it("moves by compare-and-swap, and writes what comes with it", async () => {
    await using own = await openOwnLedger();
    const { ledger } = own;
    const approval = makeApproval();
    const { id } = approval.envelope;
    const decision: SignedDecision = {
      ...{ approval: id, digest: approval.digest, nonce: approval.envelope.nonce },
      ...{ word: "approve", reason: "", freeze: false, grant: null, by: "terminal" },
      ...{ at: "2026-01-01T00:00:01.000Z", key: "k", signature: "s" },
    };
    await ledger.commit((transaction) => transaction.insert(approval));
    const moved = await ledger.commit((transaction) => [
      transaction.move(id, "pending", "approved", { decision, owner: "2-2" }),
      transaction.move(id, "pending", "rejected", { outcome: "late" }),
      transaction.now,
    ]);
    expect(moved.slice(0, 2)).toEqual([true, false]);
    expect(ledger.get(id)).toEqual({
      ...approval,
      ...{ state: "approved", decision, owner: "2-2" },
      stateAt: new Date(Number(moved[2])).toISOString(),
    });
    expect(ledger.count({ states: ["pending"] })).toBe(0);
    expect(ledger.count({ states: ["approved", "pending"], run: "r1" })).toBe(1);
    expect(ledger.count()).toBe(1);
    expect(ledger.list({ run: "r2" })).toEqual([]);
    expect(ledger.list({ states: ["approved"], limit: 0 })).toEqual([]);
  });

  it("counts the cards of a run that a person was asked about", async () => {
    await using own = await openOwnLedger();
    const { ledger } = own;
    const allow = { answer: "allow", rules: [], reason: "" } as const;
    await ledger.commit((transaction) => {
      transaction.insert(makeApproval());
      transaction.insert(makeApproval(makeEnvelope({ run: "r2" })));
      transaction.insert(makeApproval(makeEnvelope(), { verdict: allow, state: "approved" }));
      transaction.insert(makeApproval(makeEnvelope(), { state: "rejected" }));
    });
    expect(ledger.countPrompts("r1")).toBe(1);
  });

  it("counts a grant's uses, and ends it with its uses, its time or its revocation", async () => {
    await using own = await openOwnLedger();
    const { ledger } = own;
    const other = { ...grant, id: `${grant.id.slice(0, 25)}Y` };
    const past = { ...grant, id: `${grant.id.slice(0, 25)}X`, expiresAt: grant.createdAt };
    await ledger.commit((transaction) => {
      for (const each of [grant, other, past]) transaction.addGrant(each);
    });
    expect(ledger.grants()).toEqual([grant, other]);
    const use = (id: string): Promise<boolean> => ledger.commit((t) => t.useGrant(id));
    expect([await use(grant.id), await use(grant.id), await use(grant.id)]).toEqual([true, true, false]); // prettier-ignore
    expect(await use(past.id)).toBe(false);
    const revoke = (): Promise<boolean> => ledger.commit((t) => t.revokeGrant(other.id));
    expect([await revoke(), await revoke(), await use(other.id)]).toEqual([true, false, false]);
    expect(ledger.grants()).toEqual([]);
  });

  it("knows the faces whose process is there", async () => {
    await using own = await openOwnLedger();
    const { ledger } = own;
    const face = { name: "terminal", owner: ownerName() };
    const registered = [
      ledger.registerFace(face),
      ledger.registerFace({ name: "terminal", owner: "1-0" }),
      ledger.registerFace({ name: "terminal", owner: "nobody" }),
    ];
    expect(ledger.faces()).toEqual([face]);
    for (const each of registered) each[Symbol.dispose]();
    expect(ledger.faces()).toEqual([]);
    const late = ledger.registerFace(face);
    await own.open[Symbol.asyncDispose]();
    expect(() => late[Symbol.dispose]()).not.toThrow();
  });

  it("keeps a record with what it is about, and neither without the other", async () => {
    await using own = await openOwnLedger();
    const { ledger, open } = own;
    const approval = makeApproval();
    const failing = ledger.commit((transaction) => {
      transaction.insert(approval);
      transaction.record({ kind: "envelope", subject: "x", facts: {} });
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(ledger.count()).toBe(0);
    expect(open.store.audit.last()).toMatchObject({ seq: 0 });
    await ledger.commit((transaction) =>
      transaction.record({
        kind: "decision",
        subject: "x",
        facts: { b: 1, a: { Env: { K: "v" } } },
      }),
    );
    expect(open.store.audit.get(1)).toMatchObject({
      ...{ seq: 1, kind: "decision", subject: "x", facts: '{"a":{"Env":["K"]},"b":1}' },
    });
    expect(open.store.audit.lastCheckpoint()).toMatchObject({ seq: 1, key: open.key.id });
  });

  it("refuses an approval that was damaged in the store", async () => {
    await using own = await openOwnLedger();
    const { ledger, open } = own;
    const approval = makeApproval();
    await ledger.commit((transaction) => transaction.insert(approval));
    await open.store.commit(() =>
      open.store.approvals.move(approval.envelope.id, "pending", "odd", {}, 1),
    );
    expect(() => ledger.get(approval.envelope.id)).toThrow("is not what was stored");
  });
});
