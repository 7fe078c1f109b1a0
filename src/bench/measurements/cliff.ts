/** The cliff on a real disk with the shipped policy: how long an answer takes, and how many fit. */
import { mkdtemp, open as openFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Approval } from "../../approvals/approval.ts";
import { buildEnvelope } from "../../approvals/build-envelope.ts";
import { Cliff } from "../../approvals/cliff.ts";
import type { EnvelopeDraft } from "../../approvals/envelope.ts";
import { questionsOf } from "../../approvals/judge.ts";
import type { PolicyQuestion } from "../../approvals/policy.ts";
import { createDeferred } from "../../base/deferred.ts";
import { makePrivateFolder } from "../../base/private-folder.ts";
import { LuminaGuardError } from "../../errors.ts";
import { ownerName } from "../../process/owner-name.ts";
import { openLedger } from "../../runtime/ledger/open-ledger.ts";
import type { OpenLedger } from "../../runtime/ledger/open-ledger.ts";
import { PolicyDesk } from "../../runtime/cliff/policy-desk.ts";
import type { PolicyInForce } from "../../runtime/cliff/policy-desk.ts";
import type { BenchContext } from "../bench-context.ts";
import { timed } from "../interleave.ts";
import type { Measurement } from "../measurement.ts";

const group = "cliff";
const inFlight = 64;
const manyRequests = 100_000;
const manyPending = 10_000;
/** cards of one run that wait at once */
const inRun = 500;

interface BenchCliff extends AsyncDisposable {
  readonly cliff: Cliff;
  readonly policy: PolicyInForce;
  readonly open: OpenLedger;
  readonly folder: string;
}

const harmless: EnvelopeDraft = {
  who: "bench",
  run: "bench",
  tool: "files.read",
  args: { path: "/srv/notes.txt" },
  effects: [
    { kind: "mcp-call", server: "files", tool: "read", harm: "harmless", isFirstCall: false },
  ],
  taint: { tainted: false, sources: [] },
};

const asked: EnvelopeDraft = {
  ...harmless,
  tool: "files.write",
  effects: [
    { kind: "mcp-call", server: "files", tool: "write", harm: "unknown", isFirstCall: false },
  ],
};

export const cliffAllow: Measurement = {
  name: "cliff-allow",
  group,
  unit: "ms",
  what: "request of a harmless call until it is allowed, its record on disk",
  floorIs: "the verdict alone, three flushes of the same disk, and 0.3 ms",
  goal: { kind: "ratio-at-most", ratio: 1 },
  method:
    "Requests one after another through the shipped policy and a ledger in the state folder. The floor is the sum of the policy's verdict on the same envelope, three appends of 4 KiB with fdatasync to a file beside the ledger, and 0.3 ms.",
  run: async (context, samples, signal) => {
    await using bench = await openBenchCliff(context);
    await using file = await openFile(join(bench.folder, "floor"), "a");
    const block = Buffer.alloc(4096);
    const question = questionOf(bench);
    const values: number[] = [];
    const floors: number[] = [];
    for (let round = -10; round < Math.max(200, samples); round += 1) {
      signal.throwIfAborted();
      const value = await timed(() => bench.cliff.request(harmless));
      const least = await timed(async () => {
        bench.policy.judge(question, []);
        for (let flush = 0; flush < 3; flush += 1) {
          await file.write(block);
          await file.datasync();
        }
      });
      if (round < 0) continue;
      values.push(value);
      floors.push(least + 0.3);
    }
    return { values, floors };
  },
};

export const cliffRate: Measurement = {
  name: "cliff-rate",
  group,
  unit: "per s",
  what: `audited allows, ${inFlight} in flight`,
  goal: { kind: "at-least", value: 1000 },
  method: `${inFlight} askers request a harmless call again and again, each when its last was allowed and on disk; a sample is 1,000 of them.`,
  run: async (context, samples, signal) => {
    await using bench = await openBenchCliff(context);
    const perSecond = async (): Promise<number> => {
      return 1000 / ((await timed(() => requestMany(bench.cliff, 1000, signal))) / 1000);
    };
    await perSecond();
    const values: number[] = [];
    while (values.length < samples) values.push(await perSecond());
    return { values, floors: [] };
  },
};

export const cliffMemory: Measurement = {
  name: "cliff-memory",
  group,
  unit: "MiB",
  what: `memory this process grows by over ${manyRequests.toLocaleString("en")} requests`,
  goal: { kind: "at-most", value: 32 },
  method: `Resident memory of the process after ${manyRequests} requests at ${inFlight} in flight, less what it was after a tenth of them.`,
  run: async (context, _samples, signal) => {
    await using bench = await openBenchCliff(context);
    await requestMany(bench.cliff, manyRequests / 10, signal);
    const before = process.memoryUsage().rss;
    await requestMany(bench.cliff, manyRequests - manyRequests / 10, signal);
    const grown = (process.memoryUsage().rss - before) / 1024 ** 2;
    return { values: [Math.max(0, grown)], floors: [] };
  },
};

export const cliffPending: Measurement = {
  name: "cliff-pending",
  group,
  unit: "ms",
  what: `an answer to one card among ${manyPending.toLocaleString("en")}, until its asker knows`,
  goal: { kind: "at-most", value: 50 },
  method: `${manyPending} cards of ${manyPending / inRun} runs wait; a sample is one rejected, from the decision until the request resolves.`,
  run: async (context, samples, signal) => {
    await using bench = await openBenchCliff(context);
    const { cliff } = bench;
    using _face = cliff.attach("bench");
    const open: { readonly card: Approval; readonly answered: Promise<unknown> }[] = [];
    const openOne = async (number: number): Promise<void> => {
      const shown = createDeferred<Approval>();
      const draft = { ...asked, run: `bench-${Math.floor(number / inRun)}` };
      const answered = cliff.request(draft, { onPending: shown.resolve, signal });
      open.push({ card: await shown.promise, answered });
    };
    while (open.length < manyPending) {
      signal.throwIfAborted();
      const from = open.length;
      await Promise.all(Array.from({ length: inRun }, (_, at) => openOne(from + at)));
    }
    const values: number[] = [];
    while (values.length < samples) {
      const { card, answered } = open[values.length * 97] ?? lost();
      const { digest, envelope } = card;
      values.push(
        await timed(async () => {
          const word = { word: "reject", digest, nonce: envelope.nonce, by: "bench" } as const;
          await cliff.decide(envelope.id, word);
          await answered;
        }),
      );
    }
    await cliff.cancel("the measurement is over");
    return { values, floors: [] };
  },
};

function lost(): never {
  throw new LuminaGuardError("STORE_FAILED", "fewer cards wait than were opened");
}

/** Keeps `inFlight` requests under way until `count` were allowed. */
async function requestMany(cliff: Cliff, count: number, signal: AbortSignal): Promise<void> {
  let left = count;
  const asker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const { outcome } = await cliff.request(harmless, { signal });
      if (outcome !== "allowed") throw new LuminaGuardError("APPROVAL_DENIED", outcome);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, asker));
}

function questionOf({ policy, open }: BenchCliff): PolicyQuestion {
  const ground = { now: open.ledger.now(), timeoutMs: 60_000, policyVersion: policy.version };
  return questionsOf(buildEnvelope(harmless, ground).envelope, 0)[0];
}

/** A cliff in a folder of its own, on the disk where ledgers are. */
async function openBenchCliff({ lumina }: BenchContext): Promise<BenchCliff> {
  const { stateDir } = lumina.config;
  await makePrivateFolder(stateDir);
  const folder = await mkdtemp(join(stateDir, "bench-"));
  const open = await openLedger({ stateDir: folder, configDir: folder });
  const policy = await new PolicyDesk({
    ...lumina.config,
    configDir: folder,
    policyPreset: "balanced",
  }).open();
  const { ledger, key } = open;
  const cliff = new Cliff({ ledger, engine: policy, key, owner: ownerName(), timeoutMs: 600_000 });
  return {
    ...{ cliff, policy, open, folder },
    [Symbol.asyncDispose]: async () => {
      await open[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
