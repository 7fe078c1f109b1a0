/**
 * An approval is a person's, about one envelope, and good for once (A3). Prior art: CVE-2026-28466, where
 * a caller put the approval's own fields into its request; CVE-2026-62217, a sender who should not reach
 * approvals; CVE-2026-43585, a revoked token that still counted.
 */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { describe, expect, it } from "vitest";
import type { SignedDecision } from "../../src/approvals/approval.ts";
import { digestOf } from "../../src/approvals/canonical.ts";
import { signDecision } from "../../src/approvals/decision.ts";
import { openLocalKey } from "../../src/audit/local-key.ts";
import type { OpenCliff } from "../../src/runtime/cliff/cliff-desk.ts";
import { ask, no, yes } from "../support/answers.ts";
import type { Asked } from "../support/answers.ts";
import { createCliHome } from "../support/cli.ts";
import { draftCall } from "../support/cliff.ts";
import { eventually } from "../support/eventually.ts";
import { createOwnLumina } from "../support/lumina.ts";
import { makeTempDir } from "../support/make-tree.ts";

/** The file as any program of this user can open it: what guards against mistakes is taken away first. */
class Forger {
  readonly #database: InstanceType<typeof DatabaseSync>;

  constructor(stateDir: string) {
    this.#database = new DatabaseSync(join(stateDir, "ledger.sqlite"), { timeout: 5000 });
    const sql = "SELECT name FROM sqlite_schema WHERE type = 'trigger'";
    for (const row of this.#database.prepare(sql).all() as { name: string }[]) {
      this.#database.exec(`DROP TRIGGER ${row.name}`);
    }
  }

  set(id: string, columns: Readonly<Record<string, string>>): void {
    const names = Object.keys(columns).map((name) => `${name} = ?`);
    const sql = `UPDATE approvals SET ${names.join(", ")} WHERE id = ?`;
    this.#database.prepare(sql).run(...Object.values(columns), id);
  }

  get(id: string): Readonly<Record<string, string>> {
    const statement = this.#database.prepare("SELECT * FROM approvals WHERE id = ?");
    return statement.get(id) as Record<string, string>;
  }

  close(): void {
    this.#database.close();
  }
}

interface Story {
  readonly open: OpenCliff;
  readonly forger: Forger;
  /** of a card that nobody answered yet */
  readonly id: string;
  readonly asked: Asked;
  /** of one that was approved, and is about something else */
  readonly other: string;
  readonly folder: string;
}

function decisionIn({ forger }: Story, id: string): SignedDecision {
  return JSON.parse(forger.get(id)["decision"] ?? "") as SignedDecision;
}

/** The envelope with another order in it, as JSON and as a digest. */
function otherEnvelope({ forger }: Story, id: string): { envelope: string; digest: string } {
  const text = (forger.get(id)["envelope"] ?? "").replace('"order":1', '"order":9');
  return { envelope: text, digest: digestOf(JSON.parse(text) as never) };
}

const forgeries: readonly (readonly [string, string, (story: Story) => Promise<void> | void])[] = [
  [
    "that only says it was approved",
    "nobody decided it",
    ({ forger, id }) => forger.set(id, { state: "approved" }),
  ],
  [
    "with the decision on another card",
    "about another envelope",
    (story) => {
      const decision = story.forger.get(story.other)["decision"] ?? "";
      story.forger.set(story.id, { state: "approved", decision });
    },
  ],
  [
    "with the decision on another card, made to name this one",
    "signature is wrong",
    (story) => {
      const { envelope, digest } = story.asked.card;
      const named = { approval: envelope.id, digest, nonce: envelope.nonce };
      const decision = JSON.stringify({ ...decisionIn(story, story.other), ...named });
      story.forger.set(story.id, { state: "approved", decision });
    },
  ],
  [
    "with a no that was made a yes",
    "signature is wrong",
    async (story) => {
      await story.open.cliff.decide(story.id, no(story.asked.card));
      const decision = JSON.stringify({ ...decisionIn(story, story.id), word: "approve" });
      story.forger.set(story.id, { state: "approved", decision });
    },
  ],
  [
    "with a person's no",
    "the decision was no",
    async ({ open, forger, id, asked }) => {
      await open.cliff.decide(id, no(asked.card));
      forger.set(id, { state: "approved" });
    },
  ],
  [
    "signed with a key of the forger's own",
    "with another key",
    async ({ forger, id, asked, folder }) => {
      const { digest, envelope } = asked.card;
      const facts = { digest, nonce: envelope.nonce, word: "approve", by: "terminal" } as const;
      const rest = { reason: "", freeze: false, grant: null, at: new Date().toISOString() };
      const key = await openLocalKey(join(folder, "forger.pem"));
      const decision = JSON.stringify(signDecision({ approval: id, ...facts, ...rest }, key));
      forger.set(id, { state: "approved", decision });
    },
  ],
  [
    "whose envelope became another after the yes",
    "not the one that was digested",
    async (story) => {
      await story.open.cliff.decide(story.id, yes(story.asked.card));
      const { envelope } = otherEnvelope(story, story.id);
      story.forger.set(story.id, { envelope });
    },
  ],
  [
    "whose envelope and digest became others after the yes",
    "about another envelope",
    async (story) => {
      await story.open.cliff.decide(story.id, yes(story.asked.card));
      story.forger.set(story.id, otherEnvelope(story, story.id));
    },
  ],
  [
    "whose envelope became another while the card stood there",
    "not the one that was digested",
    async (story) => {
      story.forger.set(story.id, { envelope: otherEnvelope(story, story.id).envelope });
      await story.open.cliff.decide(story.id, yes(story.asked.card));
    },
  ],
];

async function tellStory(work: (story: Story) => Promise<void>): Promise<void> {
  await using own = await createOwnLumina();
  const open = await own.lumina.approvals.open();
  using _face = open.cliff.attach("test");
  const other = await ask(open.cliff, draftCall({ order: 2 }));
  await open.cliff.decide(other.card.envelope.id, yes(other.card));
  const asked = await ask(open.cliff, draftCall({ order: 1 }));
  const forger = new Forger(join(own.folder, "state"));
  const ids = { id: asked.card.envelope.id, other: other.card.envelope.id };
  try {
    await work({ open, forger, asked, ...ids, folder: own.folder });
  } finally {
    forger.close();
  }
}

describe("an approval in an edited store", () => {
  it.each(forgeries)("%s never runs", async (_what, why, forge) => {
    await tellStory(async (story) => {
      await forge(story);
      // whoever waited may have been told that it was allowed: it is looked at again before it runs
      await story.asked.verdict;
      let runs = 0;
      const running = story.open.cliff.execute(story.id, () => Promise.resolve(++runs));
      await expect(running).rejects.toMatchObject({
        code: "APPROVAL_VOID",
        message: expect.stringContaining(why) as string,
      });
      expect(runs).toBe(0);
    });
  });

  it("whose envelope and digest became others while the card stood there takes no answer", async () => {
    await tellStory(async (story) => {
      story.forger.set(story.id, otherEnvelope(story, story.id));
      const answering = story.open.cliff.decide(story.id, yes(story.asked.card));
      await expect(answering).rejects.toMatchObject({ code: "ENVELOPE_INVALID" });
      await story.open.cliff.cancel("the test ends");
    });
  });

  it("that ran and was set back does not run again", async () => {
    await tellStory(async ({ open, forger, other }) => {
      let runs = 0;
      const execute = () => open.cliff.execute(other, () => Promise.resolve(++runs));
      await execute();
      await expect(execute()).rejects.toMatchObject({ code: "APPROVAL_DECIDED" });
      forger.set(other, { state: "approved" });
      await expect(execute()).rejects.toMatchObject({
        code: "APPROVAL_VOID",
        message: expect.stringContaining("carried out already") as string,
      });
      expect(runs).toBe(1);
      await open.cliff.cancel("the test ends");
    });
  });

  it("that asks for another process runs nowhere else", async () => {
    await tellStory(async ({ open, forger, other }) => {
      forger.set(other, { owner: "1-1" });
      const running = open.cliff.execute(other, () => Promise.resolve());
      await expect(running).rejects.toMatchObject({ code: "APPROVAL_VOID" });
      await open.cliff.cancel("the test ends");
    });
  });
});

describe("a request that brings its own approval", () => {
  it.each([
    ["a state", { state: "approved" }],
    ["a decision", { decision: { word: "approve" } }],
    ["a verdict", { verdict: { answer: "allow" } }],
    ["an id", { id: "01KANNTESTTESTTESTTESTTEST" }],
    ["a nonce", { nonce: "0".repeat(32) }],
    ["an expiry", { expiresAt: "2099-01-01T00:00:00.000Z" }],
    ["a version of the policy", { policyVersion: "sha256:own" }],
  ])("is refused whole: %s", async (_what, more) => {
    await using own = await createOwnLumina({ approvalTimeoutS: 1 });
    const { cliff, ledger } = await own.lumina.approvals.open();
    using _face = cliff.attach("test");
    const asking = cliff.request({ ...draftCall(), ...more });
    await expect(asking).rejects.toMatchObject({ code: "ENVELOPE_INVALID" });
    expect(ledger.count()).toBe(0);
  });
});

describe("a card that many answer at once", () => {
  it("takes one answer, tells the others who was first, and runs once or not at all", async () => {
    await using home = await createCliHome();
    mkdirSync(home.configDir, { recursive: true });
    writeFileSync(join(home.configDir, "config.json"), '{"scriptedApproval": "yes"}');
    const { stateDir, configDir } = home;
    await using own = await createOwnLumina({ stateDir, configDir });
    const { cliff, ledger } = await own.lumina.approvals.open();
    using _face = cliff.attach("test");
    const { card, verdict } = await ask(cliff, draftCall());
    const { id } = card.envelope;
    const approving = ["approvals", "approve", card.shortId, "--yes"];
    const rejecting = ["approvals", "reject", card.shortId];
    const processes = [approving, rejecting, approving, rejecting, approving, rejecting];
    const ends = await Promise.all(processes.map((words) => home.run(words)));
    const losers = ends.filter(({ exitCode }) => exitCode !== 0);
    expect(losers).toHaveLength(processes.length - 1);
    const { outcome } = await verdict;
    const state = outcome === "allowed" ? "approved" : "rejected";
    for (const { stderr } of losers) expect(stderr).toContain(`${card.shortId} is ${state}`);
    let runs = 0;
    const tries = Array.from({ length: 4 }, () => {
      return cliff.execute(id, () => Promise.resolve(++runs));
    });
    await Promise.allSettled(tries);
    expect(runs).toBe(outcome === "allowed" ? 1 : 0);
    expect(ledger.get(id)?.state).toBe(outcome === "allowed" ? "done" : "rejected");
  });
});

describe("an asker that is killed", () => {
  async function withAsker(
    where: "before" | "during",
    work: (asker: ChildProcessWithoutNullStreams, open: OpenCliff, id: string) => Promise<void>,
  ): Promise<void> {
    using temp = makeTempDir();
    const [stateDir, configDir] = [join(temp.path, "state"), join(temp.path, "config")];
    const program = join(import.meta.dirname, "../fixtures/asker.mjs");
    const asker = spawn(process.execPath, [program, stateDir, configDir, where]);
    let said = "";
    asker.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const says = (text: RegExp) => eventually(String(text), () => text.exec(said) ?? undefined);
    try {
      const [, id = ""] = await says(/pending (\S+)\n/);
      await using own = await createOwnLumina({ stateDir, configDir });
      const open = await own.lumina.approvals.open();
      await open.cliff.decide(id, yes(open.ledger.get(id)!));
      await says(where === "before" ? /allowed/ : /running/);
      asker.kill("SIGKILL");
      await once(asker, "close");
      await using later = await createOwnLumina({ stateDir, configDir });
      await work(asker, await later.lumina.approvals.open(), id);
    } finally {
      asker.kill("SIGKILL");
    }
  }

  it("between the yes and the execution takes its approval with it", async () => {
    await withAsker("before", async (_asker, { cliff, ledger }, id) => {
      expect(ledger.get(id)).toMatchObject({ state: "cancelled", outcome: "its process ended" });
      let runs = 0;
      const running = cliff.execute(id, () => Promise.resolve(++runs));
      await expect(running).rejects.toMatchObject({ code: "APPROVAL_DECIDED" });
      expect(runs).toBe(0);
    });
  });

  it("in the execution leaves an unknown end, which is shown and never tried again", async () => {
    await withAsker("during", async (_asker, { cliff, ledger, unknown }, id) => {
      expect(unknown.map(({ envelope }) => envelope.id)).toEqual([id]);
      let runs = 0;
      const running = cliff.execute(id, () => Promise.resolve(++runs));
      await expect(running).rejects.toMatchObject({ code: "APPROVAL_DECIDED" });
      expect(runs).toBe(0);
      expect(ledger.get(id)?.state).toBe("unknown");
    });
  });
});
