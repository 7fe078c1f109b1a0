import { expect, it, vi } from "vitest";
import type { Approval } from "../../../src/approvals/approval.ts";
import type { Cliff } from "../../../src/approvals/cliff.ts";
import type { CliffVerdict } from "../../../src/approvals/cliff-verdict.ts";
import { makeGrant, proposeGrant } from "../../../src/approvals/grants.ts";
import { createTestCliff, draftCall } from "../../support/cliff.ts";
import type { TestCliff } from "../../support/cliff.ts";

/** The card of the next question, when a face would draw it. */
async function nextCard(cliff: Cliff): Promise<Approval> {
  for await (const event of cliff.events(new AbortController().signal)) {
    if (event.kind === "pending") return event.approval;
  }
  throw new Error("no card");
}

function yes({ digest, envelope }: Approval) {
  return { word: "approve", digest, nonce: envelope.nonce, by: "test" } as const;
}

function no({ digest, envelope }: Approval, reason = "") {
  return { word: "reject", digest, nonce: envelope.nonce, by: "test", reason } as const;
}

async function ask(
  { cliff }: TestCliff,
  answer: (card: Approval) => Promise<unknown>,
): Promise<CliffVerdict> {
  using _face = cliff.attach("test");
  const asked = cliff.request(draftCall());
  await answer(await nextCard(cliff));
  return await asked;
}

it("what policy allows is approved at once, on the record, and runs once", async () => {
  const { cliff, ledger, policy } = createTestCliff();
  policy.answer = "allow";
  const verdict = await cliff.request(draftCall());
  expect(verdict.outcome).toBe("allowed");
  const { id } = verdict.approval.envelope;
  const run = vi.fn(() => {
    expect(ledger.audit.at(-1)?.kind).toBe("execution-started");
    return Promise.resolve("merged");
  });
  expect(await cliff.execute(id, run)).toBe("merged");
  await expect(cliff.execute(id, run)).rejects.toMatchObject({ code: "APPROVAL_DECIDED" });
  expect(run).toHaveBeenCalledTimes(1);
  expect(ledger.audit.map(({ kind }) => kind)).toEqual([
    "envelope",
    "decision",
    "execution-started",
    "execution-ended",
  ]);
});

it("what policy denies is refused with its reason, and nobody is asked", async () => {
  const { cliff, policy } = createTestCliff();
  policy.answer = "deny";
  using _face = cliff.attach("test");
  const verdict = await cliff.request(draftCall());
  expect(verdict).toMatchObject({ outcome: "denied", reason: "scripted: deny" });
});

it("where nobody can be asked the answer is no at once", async () => {
  const { cliff } = createTestCliff();
  expect(await cliff.request(draftCall())).toMatchObject({
    outcome: "unanswerable",
    reason: "nobody can be asked: no terminal, no other face",
  });
});

it("a person's yes is signed and lets the very envelope run", async () => {
  const parts = createTestCliff();
  const verdict = await ask(parts, (card) => parts.cliff.decide(card.envelope.id, yes(card)));
  expect(verdict.outcome).toBe("allowed");
  expect(verdict.approval.decision).toMatchObject({ by: "test", word: "approve", key: "test" });
  const ran = await parts.cliff.execute(verdict.approval.envelope.id, (envelope) =>
    Promise.resolve(envelope.args),
  );
  expect(ran).toEqual({ number: 418 });
});

it("a person's no reaches the asker with its reason", async () => {
  const parts = createTestCliff();
  const verdict = await ask(parts, (card) =>
    parts.cliff.decide(card.envelope.id, { ...no(card, "not on a Friday"), freeze: true }),
  );
  expect(verdict).toMatchObject({ outcome: "rejected", reason: "not on a Friday", freeze: true });
});

it("the second of two answers is told who was first", async () => {
  const parts = createTestCliff();
  await ask(parts, async (card) => {
    const answers = await Promise.allSettled([
      parts.cliff.decide(card.envelope.id, yes(card)),
      parts.cliff.decide(card.envelope.id, no(card)),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(answers[1]).toMatchObject({
      reason: {
        code: "APPROVAL_DECIDED",
        message: expect.stringContaining("approved by test") as string,
      },
    });
  });
});

it("an answer to another envelope than the one shown is refused, and the card stays open", async () => {
  const parts = createTestCliff();
  const verdict = await ask(parts, async (card) => {
    const wrong = { ...yes(card), digest: "0".repeat(64) };
    await expect(parts.cliff.decide(card.envelope.id, wrong)).rejects.toMatchObject({
      code: "ENVELOPE_INVALID",
    });
    await parts.cliff.decide(card.envelope.id, no(card));
  });
  expect(verdict.outcome).toBe("rejected");
});

it("silence until the deadline is no", async () => {
  vi.useFakeTimers();
  try {
    const { cliff } = createTestCliff({ timeoutMs: 300_000 });
    using _face = cliff.attach("test");
    const asked = cliff.request(draftCall());
    await vi.advanceTimersByTimeAsync(300_000);
    expect(await asked).toMatchObject({ outcome: "expired", reason: "nobody answered in time" });
  } finally {
    vi.useRealTimers();
  }
});

it("an answer that comes after the deadline by the ledger's clock is none", async () => {
  const parts = createTestCliff();
  const verdict = await ask(parts, async (card) => {
    parts.ledger.time += 60_000;
    await expect(parts.cliff.decide(card.envelope.id, yes(card))).rejects.toMatchObject({
      code: "APPROVAL_DECIDED",
    });
  });
  expect(verdict.outcome).toBe("expired");
});

it("an asker that goes away withdraws its question", async () => {
  const { cliff, ledger } = createTestCliff();
  using _face = cliff.attach("test");
  const controller = new AbortController();
  const asked = cliff.request(draftCall(), { signal: controller.signal });
  await nextCard(cliff);
  controller.abort();
  expect(await asked).toMatchObject({ outcome: "cancelled" });
  expect(ledger.pendingIds()).toEqual([]);
});

it("an answer given by another process reaches the asker", async () => {
  const parts = createTestCliff();
  const verdict = await ask(parts, (card) =>
    parts.ledger.commitElsewhere((transaction) => {
      transaction.move(card.envelope.id, "pending", "rejected", { outcome: "elsewhere" });
    }),
  );
  expect(verdict).toMatchObject({ reason: "elsewhere" });
});

it("an answer that came before anybody watched reaches the asker, too", async () => {
  const { cliff, ledger } = createTestCliff();
  using _face = cliff.attach("test");
  const commit = ledger.commit.bind(ledger);
  vi.spyOn(ledger, "commit").mockImplementationOnce(async (work) => {
    const written = await commit(work);
    // another process, which nobody in this one hears of
    await commit((transaction) => {
      const [id = ""] = ledger.pendingIds();
      transaction.move(id, "pending", "rejected", { outcome: "elsewhere" });
    });
    return written;
  });
  expect(await cliff.request(draftCall())).toMatchObject({ reason: "elsewhere" });
});

it.each(["host-command", "policy-change"] as const)("no grant is given for a %s", (effect) => {
  const { policy, ledger } = createTestCliff();
  const scope = { who: "helper", effect, tool: "x", run: null, task: null, args: {} };
  const wish = { usesMax: 1, lifeMs: 1000 };
  expect(() => makeGrant(scope, wish, policy, ledger.now())).toThrow("asked about each time");
});

it.each([
  ["the policy changed", (parts: TestCliff) => void (parts.policy.version = "sha256:two")],
  ["it was not used in time", (parts: TestCliff) => void (parts.ledger.time += 60_001)],
  ["policy says no", (parts: TestCliff) => void (parts.policy.answer = "deny")],
])("an approval is void when %s", async (why, change) => {
  const parts = createTestCliff();
  const { approval } = await ask(parts, (card) => parts.cliff.decide(card.envelope.id, yes(card)));
  change(parts);
  const run = vi.fn(() => Promise.resolve());
  await expect(parts.cliff.execute(approval.envelope.id, run)).rejects.toMatchObject({
    code: "APPROVAL_VOID",
    message: expect.stringContaining(why) as string,
  });
  expect(run).not.toHaveBeenCalled();
  expect(parts.ledger.get(approval.envelope.id)?.state).toBe("cancelled");
});

it("a tool whose definition changed after the card needs a new card", async () => {
  const parts = createTestCliff();
  const { approval } = await ask(parts, (card) => parts.cliff.decide(card.envelope.id, yes(card)));
  await expect(
    parts.cliff.execute(approval.envelope.id, () => Promise.resolve(), "sha256:other"),
  ).rejects.toMatchObject({ message: expect.stringContaining("the tool changed") as string });
});

it("an approval that somebody edited in the store does not run", async () => {
  const parts = createTestCliff();
  const { approval } = await ask(parts, (card) => parts.cliff.decide(card.envelope.id, yes(card)));
  const { envelope } = approval;
  const forged = {
    ...approval,
    envelope: { ...envelope, id: anotherId(envelope.id), args: { number: 1 } },
  };
  await parts.ledger.commit((transaction) => transaction.insert(forged));
  await expect(
    parts.cliff.execute(forged.envelope.id, () => Promise.resolve()),
  ).rejects.toMatchObject({
    code: "APPROVAL_VOID",
  });
});

function anotherId(id: string): string {
  return `${id.slice(0, -1)}${id.endsWith("0") ? "1" : "0"}`;
}

it("an edited version runs in place of the one that was asked for", async () => {
  const parts = createTestCliff();
  using _face = parts.cliff.attach("test");
  const asked = parts.cliff.request(draftCall());
  const card = await nextCard(parts.cliff);
  const amended = await parts.cliff.amend(card.envelope.id, draftCall({ number: 419 }), {
    by: "test",
  });
  expect(await asked).toMatchObject({
    outcome: "cancelled",
    reason: expect.stringContaining("edited") as string,
  });
  expect(amended.outcome).toBe("allowed");
  expect(amended.approval.envelope).toMatchObject({
    args: { number: 419 },
    replaces: card.envelope.id,
  });
});

it("a grant lets the next one pass, as often as it says and no oftener", async () => {
  const parts = createTestCliff();
  const { cliff, policy, ledger } = parts;
  await ask(parts, (card) => {
    const wish = { reach: "run", args: {}, usesMax: 2, lifeMs: 3_600_000 } as const;
    const grant = proposeGrant(card.envelope, wish, policy, ledger.now());
    return cliff.decide(card.envelope.id, { ...yes(card), grant });
  });
  expect((await cliff.request(draftCall())).outcome).toBe("allowed");
  expect((await cliff.request(draftCall())).outcome).toBe("allowed");
  expect((await cliff.request(draftCall())).outcome).toBe("unanswerable");
});

it("a grant is of no use to a tainted asker", async () => {
  const parts = createTestCliff();
  const { cliff, policy, ledger } = parts;
  await ask(parts, (card) => {
    const wish = { reach: "run", args: {}, usesMax: 2, lifeMs: 3_600_000 } as const;
    const grant = proposeGrant(card.envelope, wish, policy, ledger.now());
    return cliff.decide(card.envelope.id, { ...yes(card), grant });
  });
  const tainted = { ...draftCall(), taint: { tainted: true, sources: ["web page"] } };
  expect((await cliff.request(tainted)).outcome).toBe("unanswerable");
});

it("a child may do no more than any of those it works for", async () => {
  const { cliff, policy } = createTestCliff();
  policy.answer = ({ who }) => (who === "grandparent" ? "deny" : "allow");
  const draft = { ...draftCall(), parents: ["parent", "grandparent"] };
  expect((await cliff.request(draft)).outcome).toBe("denied");
});

it("an exception while judging is a no", async () => {
  const { cliff, policy } = createTestCliff();
  policy.answer = () => {
    throw new Error("engine broke");
  };
  expect(await cliff.request(draftCall())).toMatchObject({
    outcome: "denied",
    reason: "policy failed: engine broke",
  });
});

it("what a vanished process left open is ended, and what it was doing is unknown", async () => {
  const { cliff, ledger } = createTestCliff();
  const other = createTestCliff({ owner: "2:2" });
  other.policy.answer = "allow";
  const verdicts = await Promise.all(
    [1, 2].map((number) => other.cliff.request(draftCall({ number }))),
  );
  const [idle, busy] = verdicts.map(({ approval }) => approval);
  await ledger.commit((transaction) => {
    transaction.insert(idle!);
    transaction.insert({ ...busy!, state: "executing" });
  });
  const unknown = await cliff.recover(() => Promise.resolve(false));
  expect(unknown.map(({ envelope }) => envelope.id)).toEqual([busy!.envelope.id]);
  expect(ledger.get(idle!.envelope.id)?.state).toBe("cancelled");
  expect(ledger.get(busy!.envelope.id)?.state).toBe("unknown");
});

it("a STOP withdraws everything that is open", async () => {
  const { cliff } = createTestCliff();
  using _face = cliff.attach("test");
  const asked = [1, 2, 3].map((number) => cliff.request(draftCall({ number })));
  await nextCard(cliff);
  expect(await cliff.cancel("STOP")).toBe(3);
  for (const each of asked)
    expect(await each).toMatchObject({ outcome: "cancelled", reason: "STOP" });
});
