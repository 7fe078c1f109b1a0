/**
 * A move whose link is really cut, or whose supervisor is killed, at its worst moments; every other moment is
 * in `test/long/moves-cut.test.ts`.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MoveStory } from "../support/move-story.ts";
import { createNetworkPair } from "../support/network-pair.ts";

const pair = createNetworkPair();
const cable = typeof pair === "string" ? undefined : pair;
if (typeof pair === "string") process.stderr.write(`skipped: no network namespaces: ${pair}\n`);

let story: MoveStory;
beforeAll(async () => {
  story = await MoveStory.open(
    cable === undefined ? {} : { prefixes: cable.prefixes, address: cable.address },
  );
  await story.listen();
  await story.here.start();
});
afterAll(async () => {
  await story[Symbol.asyncDispose]();
  cable?.[Symbol.dispose]();
});

describe("a machine that moves between two network namespaces", () => {
  it.skipIf(cable === undefined)(
    "stands still on both sides when the cable is unplugged as it is given up, and goes on there once that is plugged in and decided",
    async () => {
      story.at({ side: "here", phase: "given" }, cable?.unplugCommand ?? "");
      expect(story.here.codeOf(await story.migrate())).toBe("MIGRATION_IN_DOUBT");
      expect(await story.running()).toBe("");
      const doubts = [...(await story.here.list()), ...(await story.there.list())];
      expect(doubts.map(({ name, doubt }) => [name, doubt?.why.split(":")[0]])).toEqual([
        ["work", "it stands still"],
        ["work", "it stands still"],
      ]);
      cable?.plugIn();
      await story.here.must("migrate", "work", "--resolve", "--there");
      expect(await story.running()).toBe("there");
      await story.there.must("rm", "work");
      await story.here.must("rm", "work");
      await story.here.start();
    },
  );
});

describe("a machine whose supervisor is killed with SIGKILL as it moves", () => {
  it("here as it gives it up: goes on there by a word from here", async () => {
    story.at({ side: "here", phase: "given" }, "kill -9 $SUPERVISOR");
    expect((await story.migrate()).exitCode).not.toBe(0);
    expect(await story.running()).toBe("");
    const [lost] = await story.here.list();
    expect(lost).toMatchObject({ name: "work", state: "failed" });
    expect(lost?.doubt?.hint).toContain("--resolve --there");
    expect(story.here.codeOf(await story.here.vm("restart", "work", "--json"))).toBe(
      "MIGRATION_IN_DOUBT",
    );
    await story.here.must("migrate", "work", "--resolve", "--there");
    expect(await story.running()).toBe("there");
  });
});
