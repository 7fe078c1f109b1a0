/** Each process of a machine's way into a file and out of it, killed with SIGKILL: never two of it, and it goes on once. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { collect } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { MoveStory } from "../support/move-story.ts";

let story: MoveStory;
let file: string;
let count = 0;
beforeAll(async () => {
  story = await MoveStory.open();
});
afterAll(() => story[Symbol.asyncDispose]());
beforeEach(async () => {
  await story.here.removeAll();
  await story.there.removeAll();
  await story.here.start();
  file = join(story.here.home.project, `${(count += 1)}.machine`);
});

async function receiveCode(): Promise<string> {
  return story.there.codeOf(await story.there.vm("receive", file, "--json"));
}

describe("the supervisor of a machine that goes into a file", () => {
  it("is killed before it gave it up: the file is worth nothing", async () => {
    story.at({ side: "here", phase: "copying" }, "kill -9 $SUPERVISOR");
    expect((await story.here.vm("migrate", "work", "--to", file)).exitCode).not.toBe(0);
    expect(await receiveCode()).toBe("SNAPSHOT_INVALID");
    expect(await story.there.list()).toEqual([]);
    expect((await story.here.list())[0]).toMatchObject({ state: "failed", doubt: null });
  });

  it("is killed when it gave it up: the file is finished by a word from here, and taken", async () => {
    story.at({ side: "here", phase: "given" }, "kill -9 $SUPERVISOR");
    expect((await story.here.vm("migrate", "work", "--to", file)).exitCode).not.toBe(0);
    expect(await receiveCode()).toBe("SNAPSHOT_INVALID");
    expect((await story.here.list())[0]?.doubt?.hint).toContain("--resolve --there");
    expect(story.here.codeOf(await story.here.decide("--here", "--other-is-gone"))).toBe("VM_GONE");
    await story.here.must("migrate", "work", "--resolve", "--there");
    await story.there.must("receive", file);
    expect(await story.running()).toBe("there");
  });
});

describe("a machine that comes out of a file", () => {
  beforeEach(() => story.here.must("migrate", "work", "--to", file));

  it.each(["copying", "ready"])(
    "comes again when whoever takes it is killed at %s",
    async (phase) => {
      story.at({ side: "there", phase }, "kill -9 $SUPERVISOR");
      expect((await story.there.vm("receive", file)).exitCode).not.toBe(0);
      expect(await story.running()).toBe("");
      await story.there.must("receive", file);
      expect(await story.running()).toBe("there");
    },
  );

  it("goes on by a word when its supervisor is killed as it takes it, and nothing else starts it", async () => {
    story.at({ side: "there", phase: "taken" }, "kill -9 $SUPERVISOR");
    expect(await receiveCode()).toBe("MIGRATION_IN_DOUBT");
    expect(await story.running()).toBe("");
    expect(await receiveCode()).toBe("VM_MOVED");
    expect((await story.there.list())[0]?.doubt?.hint).toContain("--resolve --here");
    const restarted = await story.there.vm("restart", "work", "--json");
    expect(story.there.codeOf(restarted)).toBe("MIGRATION_IN_DOUBT");
    await story.there.must("migrate", "work", "--resolve", "--here");
    expect(await story.running()).toBe("there");
    expect((await story.there.list())[0]?.doubt).toBe(null);
  });

  it("goes on by itself when the command that takes it is killed once it was taken", async () => {
    const pidFile = join(story.there.home.project, "pid");
    story.at({ side: "there", phase: "taken" }, `kill -9 $(cat '${pidFile}')`);
    const command = story.there.home.start(["vm", "receive", file]);
    writeFileSync(pidFile, String(command.pid));
    expect((await collect(command)).signal).toBe("SIGKILL");
    await eventually("it goes on", () => story.there.runs(), 30_000);
    expect(await story.running()).toBe("there");
  });
});
