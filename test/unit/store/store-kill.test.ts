/**
 * Processes that decide on one store are killed at any instant: what they said was durable is there,
 * once, with its record, and the chain is one.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { itemsOf, verifyChain } from "../../../src/audit/verify-audit.ts";
import { openLedger } from "../../../src/runtime/ledger/open-ledger.ts";
import { projectFolder } from "../../support/repository.ts";
import { makeStateFolder } from "../../support/open-store.ts";
import { createRandom } from "../../support/seeded-random.ts";

const writer = join(projectFolder, "test/fixtures/ledger-writer.mjs");
const rounds = 12;

interface Said {
  readonly did: readonly string[];
  readonly won: readonly string[];
}

/** Runs a writer until it has been killed, `afterMs` after it began to write; gives what it said was done. */
async function runUntilKilled(stateDir: string, prefix: string, afterMs: number): Promise<Said> {
  const child = spawn(process.execPath, [writer, stateDir, prefix], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  const closed = once(child, "close");
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    // the instant is what is tested: any will do
    if (line === "ready") void sleep(afterMs).then(() => child.kill("SIGKILL"));
  }
  await closed;
  const ids = (word: string): string[] =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(4));
  return { did: ids("did"), won: ids("won") };
}

it("loses and doubles nothing when two writers are killed again and again", async () => {
  using folder = makeStateFolder();
  const random = createRandom(7);
  const did: string[] = [];
  const won: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const said = await Promise.all(
      ["a", "b"].map((name) => runUntilKilled(folder.path, `${name}${round}`, random(150))),
    );
    did.push(...said.flatMap((each) => each.did));
    won.push(...said.flatMap((each) => each.won));
    await using open = await openLedger({ stateDir: folder.path, configDir: folder.path });
    const { store } = open;
    await verifyChain(itemsOf(store.audit));
    const decided = [...store.audit.after(-1)].filter(({ kind }) => kind === "decision");
    const subjects = decided.map(({ subject }) => subject);
    expect(new Set(subjects).size).toBe(subjects.length);
    expect(did.filter((id) => store.approvals.get(id)?.state !== "approved")).toEqual([]);
    expect([...did, ...won].filter((id) => !subjects.includes(id))).toEqual([]);
    const states = store.approvals.ids({ states: ["approved"] });
    expect([...states].sort()).toEqual([...subjects].sort());
  }
  expect(new Set(won).size).toBe(won.length);
  expect(did.length).toBeGreaterThan(rounds);
  expect(won.length).toBeGreaterThan(0);
}, 120_000);
