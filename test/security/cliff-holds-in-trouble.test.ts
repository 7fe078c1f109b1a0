/**
 * What befalls the programs around a card changes nothing about it: a face that dies, a flood of requests, a
 * clock that is set, two processes at once. Silence and confusion are no. Prior art: CVE-2026-22172 and
 * the report #128470 of the same project, where the state of an approval depended on who looked.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Cliff } from "../../src/approvals/cliff.ts";
import { findByArgument } from "../../src/process/process-identity.ts";
import { ownerName } from "../../src/process/owner-name.ts";
import { openLedger } from "../../src/runtime/ledger/open-ledger.ts";
import { PolicyDesk } from "../../src/runtime/cliff/policy-desk.ts";
import { ask, yes } from "../support/answers.ts";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { draftCall } from "../support/cliff.ts";
import { eventually } from "../support/eventually.ts";
import { createOwnLumina } from "../support/lumina.ts";
import { makeTempDir, readTree } from "../support/make-tree.ts";
import { openTerminal } from "../support/terminal.ts";

const before = { "a.txt": "old\n" };
const after = { "a.txt": "new\n" };

async function stateOf(home: CliHome, id: string): Promise<string> {
  const { stdout } = await home.run(["approvals", "show", id, "--json"]);
  return (JSON.parse(stdout.toString("utf8")) as { state: string }).state;
}

/** Ends the program that has this on its command line, and not the terminal it is in. */
async function kill(words: string): Promise<void> {
  const pids = (await findByArgument(words)).filter((pid) => {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith(`${process.execPath}\0`);
  });
  expect(pids).toHaveLength(1);
  for (const pid of pids) process.kill(pid, "SIGKILL");
}

describe("a face", () => {
  it("that is killed takes its question with it: nothing is written, and nobody can answer it any more", async () => {
    await using home = await createCliHome();
    writeFileSync(join(home.project, "a.txt"), "old\n");
    const mark = `MARK=${home.project}`;
    const args = ["run", "--env", mark, "--", "sh", "-c", "echo new > a.txt"];
    await using terminal = openTerminal(home, args);
    const [, id = ""] = /card (\w+)/.exec(await terminal.sees("[r] reject")) ?? [];
    expect(await stateOf(home, id)).toBe("pending");
    await kill(mark);
    await eventually("it is withdrawn", async () => (await stateOf(home, id)) === "cancelled");
    mkdirSync(home.configDir, { recursive: true });
    writeFileSync(join(home.configDir, "config.json"), '{"scriptedApproval": "yes"}');
    const answer = await home.run(["approvals", "approve", id, "--yes"]);
    expect(answer.exitCode).not.toBe(0);
    expect(answer.stderr).toContain(`approval ${id} is cancelled`);
    expect(readTree(home.project)).toEqual(before);
  });

  it("that is killed in another terminal changes nothing: the card is still open where it was asked", async () => {
    await using home = await createCliHome();
    writeFileSync(join(home.project, "a.txt"), "old\n");
    await using asker = openTerminal(home, ["run", "--", "sh", "-c", "echo new > a.txt"]);
    const [, id = ""] = /card (\w+)/.exec(await asker.sees("[r] reject")) ?? [];
    await using other = openTerminal(home, ["approvals", "approve", id]);
    await other.answers("?", "write nothing; the changes are kept");
    const [pid = 0] = await approversOf(id);
    process.kill(pid, "SIGKILL");
    await eventually("it is gone", async () => (await approversOf(id)).length === 0);
    expect(await stateOf(home, id)).toBe("pending");
    expect(readTree(home.project)).toEqual(before);
    await asker.answers("a", "applied   1 of 1");
    expect(readTree(home.project)).toEqual(after);
    expect(await stateOf(home, id)).toBe("done");
  });

  it("that is one of two that hear the same key at once writes once or not at all", async () => {
    await using home = await createCliHome();
    writeFileSync(join(home.project, "a.txt"), "old\n");
    await using asker = openTerminal(home, ["run", "--", "sh", "-c", "echo new >> a.txt"]);
    const [, id = ""] = /card (\w+)/.exec(await asker.sees("[r] reject")) ?? [];
    await using other = openTerminal(home, ["approvals", "approve", id]);
    for (const terminal of [asker, other]) {
      await terminal.answers("?", "write nothing; the changes are kept");
      await terminal.answers("x", "[r] reject");
    }
    for (const terminal of [asker, other]) terminal.press("a");
    await asker.sees("applied   1 of 1");
    await other.sees("exit code");
    expect(readTree(home.project)).toEqual({ "a.txt": "old\nnew\n" });
    const { stdout } = await home.run(["audit", "show", "--json"]);
    expect(stdout.toString("utf8").match(/"execution-started"/g)).toHaveLength(1);
  });
});

/** Processes that answer the card on a terminal of their own. */
async function approversOf(id: string): Promise<readonly number[]> {
  return (await findByArgument(id)).filter((pid) => {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return words[0] === process.execPath && words.includes("approve");
  });
}

/** What is in use, without what only waits to be collected. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

describe("a flood of requests", () => {
  it("from one run is bounded, leaves others their turn, and costs no memory", async () => {
    await using own = await createOwnLumina();
    const { cliff, ledger } = await own.lumina.approvals.open();
    using _face = cliff.attach("test");
    const asking = (run: string, order: number) => cliff.request({ ...draftCall({ order }), run });
    const flood = Array.from({ length: 1000 }, (_, order) => asking("flood", order));
    await eventually("as many wait as may", () => ledger.count({ states: ["pending"] }) === 1000);
    const settled = Promise.all(flood);
    const heapBefore = heapBytes();
    for (let at = 0; at < 9000; at += 500) {
      const more = Array.from({ length: 500 }, (_, order) => asking("flood", order));
      for (const { outcome, approval } of await Promise.all(more)) {
        expect(outcome).toBe("unanswerable");
        expect(approval.outcome).toBe("this run asks too much");
      }
    }
    expect(heapBytes() - heapBefore).toBeLessThan(64 * 1024 ** 2);
    const other = await ask(cliff, { ...draftCall(), run: "other" });
    await cliff.decide(other.card.envelope.id, yes(other.card));
    const ran = await cliff.execute(other.card.envelope.id, ({ run }) => Promise.resolve(run));
    expect(ran).toBe("other");
    expect(await cliff.cancel("the test ends")).toBe(1000);
    expect((await settled).filter(({ outcome }) => outcome !== "cancelled")).toEqual([]);
  });
});

describe("a clock that is set", () => {
  const hour = 3_600_000;
  const timeoutMs = 300_000;

  /** The real store with hands on its clock: the wall's, and how much time passes in truth. */
  async function withClock(
    work: (cliff: Cliff, clock: { wall: number; elapsed: number }) => Promise<void>,
  ): Promise<void> {
    using folder = makeTempDir();
    const clock = { wall: 0, elapsed: 0 };
    await using open = await openLedger({
      ...{ stateDir: folder.path, configDir: folder.path },
      clock: {
        wall: () => Date.now() + clock.wall,
        elapsed: () => performance.now() + clock.elapsed,
      },
    });
    const { ledger, key } = open;
    const desk = new PolicyDesk({ configDir: folder.path, policyPreset: "balanced" });
    const engine = await desk.open();
    const cliff = new Cliff({ ledger, key, engine, owner: ownerName(), timeoutMs });
    using _face = cliff.attach("test");
    await work(cliff, clock);
    await cliff.cancel("the test ends");
  }

  it.each([
    ["back", -48 * hour],
    ["not at all", 0],
    ["to 1970", -Date.now()],
  ])("%s keeps no card open beyond its time", async (_how, wall) => {
    await withClock(async (cliff, clock) => {
      const { card, verdict } = await ask(cliff, draftCall());
      clock.wall = wall;
      clock.elapsed = timeoutMs;
      await expect(cliff.decide(card.envelope.id, yes(card))).rejects.toMatchObject({
        code: "APPROVAL_DECIDED",
      });
      expect((await verdict).outcome).toBe("expired");
    });
  });

  it("forward and back makes no expired card answerable again", async () => {
    await withClock(async (cliff, clock) => {
      const first = await ask(cliff, draftCall());
      const second = await ask(cliff, draftCall({ order: 2 }));
      clock.wall = hour;
      const late = cliff.decide(first.card.envelope.id, yes(first.card));
      await expect(late).rejects.toMatchObject({ code: "APPROVAL_DECIDED" });
      clock.wall = -hour;
      for (const { card } of [first, second]) {
        const answering = cliff.decide(card.envelope.id, yes(card));
        await expect(answering).rejects.toMatchObject({ code: "APPROVAL_DECIDED" });
      }
    });
  });

  it("back lengthens no approval: what was not used in time is void", async () => {
    await withClock(async (cliff, clock) => {
      const { card } = await ask(cliff, draftCall());
      await cliff.decide(card.envelope.id, yes(card));
      clock.wall = -48 * hour;
      clock.elapsed = 61_000;
      let runs = 0;
      const running = cliff.execute(card.envelope.id, () => Promise.resolve(++runs));
      await expect(running).rejects.toMatchObject({ code: "APPROVAL_VOID" });
      expect(runs).toBe(0);
    });
  });
});
