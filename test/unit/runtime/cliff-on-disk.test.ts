import fc from "fast-check";
import { expect, it } from "vitest";
import { Cliff } from "../../../src/approvals/cliff.ts";
import { openLedger } from "../../../src/runtime/ledger/open-ledger.ts";
import { StoreLedger } from "../../../src/runtime/ledger/ledger.ts";
import { ownerName } from "../../../src/process/owner-name.ts";
import { ScriptedPolicy, draftCall } from "../../support/cliff.ts";
import { steps, tellStory } from "../../support/cliff-story.ts";
import { makeTempDir } from "../../support/make-tree.ts";

it(
  "on a real disk nothing runs unapproved, twice, or after its end",
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (story) => {
        using folder = makeTempDir();
        let ahead = 0;
        const wall = (): number => Date.now() + ahead;
        await using open = await openLedger({
          stateDir: folder.path,
          configDir: folder.path,
          clock: { wall, elapsed: () => performance.now() + ahead },
        });
        // the story's processes are only names
        const ledger = new StoreLedger({ ...open, isOwnerRunning: () => true });
        await tellStory({ ledger, advance: (ms) => (ahead += ms) }, story);
      }),
      { numRuns: 12 },
    );
  },
);

it("an answer outlives the process that took it, and so does what it ran", async () => {
  using folder = makeTempDir();
  const engine = new ScriptedPolicy();
  const open = async () => {
    const opened = await openLedger({ stateDir: folder.path, configDir: folder.path });
    const { ledger, key } = opened;
    return {
      opened,
      cliff: new Cliff({ ledger, engine, key, owner: ownerName(), timeoutMs: 60_000 }),
    };
  };
  const first = await open();
  engine.answer = "allow";
  const { approval } = await first.cliff.request(draftCall());
  await first.opened[Symbol.asyncDispose]();
  const second = await open();
  expect(
    await second.cliff.execute(approval.envelope.id, ({ args }) => Promise.resolve(args)),
  ).toEqual({
    number: 418,
  });
  await second.opened[Symbol.asyncDispose]();
  const third = await open();
  await expect(
    third.cliff.execute(approval.envelope.id, () => Promise.resolve()),
  ).rejects.toMatchObject({ code: "APPROVAL_DECIDED" });
  await third.opened[Symbol.asyncDispose]();
});
