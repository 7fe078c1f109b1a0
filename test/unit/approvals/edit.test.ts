/** A person edits a call on its card: what becomes of the card, of the new one, and of who asked. */
import { describe, expect, it, vi } from "vitest";
import { Cliff } from "../../../src/approvals/cliff.ts";
import { followEdits } from "../../../src/approvals/edit.ts";
import { ask, no, yes } from "../../support/answers.ts";
import { ScriptedPolicy, createTestCliff, draftCall, testKey } from "../../support/cliff.ts";
import type { TestCliff } from "../../support/cliff.ts";

const edit = { args: { number: 419 } };

/** Another process on the same ledger, with a policy of its own. */
function openElsewhere({ ledger }: TestCliff): Cliff {
  const engine = Object.assign(new ScriptedPolicy(), { version: "sha256:other" });
  const parts = { engine, key: testKey, owner: "2:2", timeoutMs: 1000 };
  return new Cliff({ ...parts, ledger: ledger.elsewhere() });
}

describe("an edited call", () => {
  it("is a card of its own that nobody approved yet, and the old one ends with it", async () => {
    const { cliff, ledger } = createTestCliff();
    using _face = cliff.attach("test");
    const { card } = await ask(cliff, { ...draftCall(), says: "please", task: "12" });
    const edited = await cliff.edit(card.envelope.id, edit);
    expect(edited).toMatchObject({ state: "pending", decision: null, owner: card.owner });
    const { id, nonce, createdAt, expiresAt, ...shown } = edited.envelope;
    const { id: oldId, nonce: oldNonce, createdAt: _at, expiresAt: _end, ...old } = card.envelope;
    expect(shown).toEqual({ ...old, ...edit, replaces: oldId });
    expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(60_000);
    expect([nonce === oldNonce, edited.digest === card.digest]).toEqual([false, false]);
    expect(ledger.get(oldId)).toMatchObject({ state: "cancelled", outcome: `edited into ${id}` });
    expect(ledger.audit.slice(-2)).toMatchObject([
      { kind: "approval-ended", subject: oldId },
      { kind: "envelope", subject: id, facts: { replaces: oldId } },
    ]);
  });

  it("takes no answer that was given to the old card", async () => {
    const { cliff } = createTestCliff();
    using _face = cliff.attach("test");
    const { card } = await ask(cliff, draftCall());
    const edited = await cliff.edit(card.envelope.id, edit);
    const { id } = edited.envelope;
    await expect(cliff.decide(id, yes(card))).rejects.toMatchObject({ code: "ENVELOPE_INVALID" });
    await expect(cliff.decide(card.envelope.id, yes(card))).rejects.toMatchObject({
      code: "APPROVAL_DECIDED",
    });
  });

  it.each(["its own process", "another process"])(
    "edited and approved in %s is what its asker is allowed, and what it runs",
    async (where) => {
      const parts = createTestCliff();
      const { cliff } = parts;
      using _face = cliff.attach("test");
      const { card, verdict } = await ask(cliff, draftCall());
      const editor = where === "its own process" ? cliff : openElsewhere(parts);
      const first = await editor.edit(card.envelope.id, edit);
      const second = await editor.edit(first.envelope.id, { args: { number: 420 } });
      await editor.decide(second.envelope.id, yes(second));
      const { outcome, approval } = await verdict;
      expect([outcome, approval.envelope.id]).toEqual(["allowed", second.envelope.id]);
      const run = vi.fn(() => Promise.resolve());
      for (const { envelope } of [card, first]) {
        await expect(cliff.execute(envelope.id, run)).rejects.toMatchObject({
          code: "APPROVAL_DECIDED",
        });
      }
      expect(run).not.toHaveBeenCalled();
      const ran = cliff.execute(second.envelope.id, ({ args }) => Promise.resolve(args));
      expect(await ran).toEqual({ number: 420 });
    },
  );

  it("that is rejected is a no to its asker, with the reason", async () => {
    const { cliff } = createTestCliff();
    using _face = cliff.attach("test");
    const { card, verdict } = await ask(cliff, draftCall());
    const edited = await cliff.edit(card.envelope.id, edit);
    await cliff.decide(edited.envelope.id, { ...no(edited), reason: "not even so" });
    expect(await verdict).toMatchObject({ outcome: "rejected", reason: "not even so" });
  });

  it("that nobody answers expires, by its own time", async () => {
    vi.useFakeTimers();
    try {
      const parts = createTestCliff();
      using _face = parts.cliff.attach("test");
      const { card, verdict } = await ask(parts.cliff, draftCall());
      await vi.advanceTimersByTimeAsync(59_000);
      // where it is edited cards wait a second
      const { envelope } = await openElsewhere(parts).edit(card.envelope.id, edit);
      await vi.advanceTimersByTimeAsync(1000);
      const { outcome, approval } = await verdict;
      expect([outcome, approval.envelope.id]).toEqual(["expired", envelope.id]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is withdrawn when its asker withdraws", async () => {
    const { cliff, ledger } = createTestCliff();
    using _face = cliff.attach("test");
    const over = new AbortController();
    const { card, verdict } = await ask(cliff, draftCall(), { signal: over.signal });
    const { envelope } = await cliff.edit(card.envelope.id, edit);
    over.abort();
    expect(await verdict).toMatchObject({ outcome: "cancelled" });
    expect(ledger.get(envelope.id)?.state).toBe("cancelled");
  });

  it("that policy denies is no card: the asker is told", async () => {
    const { cliff, policy } = createTestCliff();
    using _face = cliff.attach("test");
    const { card, verdict } = await ask(cliff, draftCall());
    policy.answer = "deny";
    const edited = await cliff.edit(card.envelope.id, edit);
    expect(edited).toMatchObject({ state: "rejected", outcome: "scripted: deny" });
    expect(await verdict).toMatchObject({ outcome: "denied", reason: "scripted: deny" });
  });

  it("that only its asker's policy denies is withdrawn, whoever edited it", async () => {
    const parts = createTestCliff();
    const { cliff, policy } = parts;
    using _face = cliff.attach("test");
    const { card, verdict } = await ask(cliff, draftCall());
    policy.answer = "deny";
    await openElsewhere(parts).edit(card.envelope.id, edit);
    expect(await verdict).toMatchObject({
      outcome: "cancelled",
      reason: "policy says no: scripted: deny",
    });
  });

  it("is asked about although policy would allow it: a person has seen no card of it", async () => {
    const { cliff, policy } = createTestCliff();
    using _face = cliff.attach("test");
    const { card } = await ask(cliff, draftCall());
    policy.answer = "allow";
    expect((await cliff.edit(card.envelope.id, edit)).state).toBe("pending");
  });

  it("has no use of the rule its asker came with", async () => {
    const { cliff, policy } = createTestCliff();
    using _face = cliff.attach("test");
    const rules = [{ id: "own word", text: "permit something else" }];
    const { card, verdict } = await ask(cliff, draftCall(), { rules });
    const edited = await cliff.edit(card.envelope.id, edit);
    await cliff.decide(edited.envelope.id, yes(edited));
    await verdict;
    const judge = vi.spyOn(policy, "judge");
    await cliff.execute(edited.envelope.id, () => Promise.resolve());
    expect(judge.mock.calls.map(([, given]) => given)).toEqual([[]]);
  });

  it("is refused where the card was answered, ran out of time, or would be no envelope", async () => {
    const { cliff, ledger } = createTestCliff();
    using _face = cliff.attach("test");
    const bad = { args: { half: "\ud800" } };
    const { card } = await ask(cliff, draftCall());
    const { id } = card.envelope;
    await expect(cliff.edit(id, bad)).rejects.toMatchObject({ code: "ENVELOPE_INVALID" });
    await expect(cliff.edit(`${id.slice(0, -1)}!`, edit)).rejects.toMatchObject({
      code: "APPROVAL_NOT_FOUND",
    });
    ledger.time += 60_000;
    await expect(cliff.edit(id, edit)).rejects.toMatchObject({ details: { state: "expired" } });
    ledger.time -= 60_000;
    await cliff.decide(id, no(card));
    await expect(cliff.edit(id, edit)).rejects.toMatchObject({ details: { state: "rejected" } });
    expect(ledger.list()).toHaveLength(1);
  });
});

it("an end that only claims to be an edit leads nowhere", async () => {
  const { cliff, ledger } = createTestCliff();
  using _face = cliff.attach("test");
  const { card, verdict } = await ask(cliff, draftCall());
  const { card: other } = await ask(cliff, { ...draftCall(), run: "another" });
  await cliff.cancel(`edited into ${other.envelope.id}`, { run: card.envelope.run });
  const told = await verdict;
  expect(told).toMatchObject({ outcome: "cancelled", approval: { envelope: card.envelope } });
  expect(followEdits(ledger, told.approval)).toBe(told.approval);
});
