import fc from "fast-check";
import { it } from "vitest";
import { steps, tellStory } from "../../support/cliff-story.ts";
import { MemoryLedger } from "../../support/memory-ledger.ts";

it("nothing runs unapproved, twice, or after its end, whatever happens in whatever order", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (story) => {
      const ledger = new MemoryLedger();
      const advance = (ms: number): number => (ledger.time += ms);
      await tellStory({ ledger, elsewhere: ledger.elsewhere(), advance }, story);
    }),
    { numRuns: 120 },
  );
});
