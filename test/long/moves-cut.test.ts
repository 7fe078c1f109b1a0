/**
 * Every moment of a move at which the link can be cut, and each process can be killed with SIGKILL: never two
 * of the machine, what is told of it is right, and it can be brought to run on exactly one side.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { MoveStory } from "../support/move-story.ts";
import type { Point } from "../support/move-story.ts";
import { createNetworkPair } from "../support/network-pair.ts";

const pair = createNetworkPair();
const cable = typeof pair === "string" ? undefined : pair;
if (typeof pair === "string") process.stderr.write(`skipped: no network namespaces: ${pair}\n`);

interface Moment {
  readonly name: string;
  /** undefined: before anything is said */
  readonly at: Point | undefined;
  /** what the sender is told; undefined: nothing, its supervisor is no more */
  readonly code: string | undefined;
  /** where it runs then */
  readonly running: "" | "here" | "there";
  /** on which sides it is in doubt then */
  readonly doubts: readonly ("here" | "there")[];
  /** what decides it, and where */
  readonly decided?: readonly ["here" | "there", ...string[]];
  /** where it runs in the end; "": the machine ended with its supervisor, as every machine does */
  readonly end: "" | "here" | "there";
}

const mib = 1024 ** 2;
const failed = { code: "MIGRATION_FAILED", running: "here", doubts: [], end: "here" } as const;
const doubt = { code: "MIGRATION_IN_DOUBT", running: "", doubts: ["here", "there"] } as const;
const readyThere = { ...failed, doubts: ["there"], decided: ["there", "--there"] } as const;

/** the machine is there, whoever is gone */
const lateMoments: readonly Moment[] = [
  {
    ...{ name: "when it is given up", at: { side: "here", phase: "given" } },
    ...{ ...doubt, decided: ["here", "--there"], end: "there" },
  },
  {
    ...{ name: "when it was taken", at: { side: "there", phase: "taken" } },
    ...{ code: "MIGRATION_IN_DOUBT", running: "there", doubts: ["here"] },
    ...{ decided: ["here", "--here"], end: "there" },
  },
];

const cuts: readonly Moment[] = [
  { name: "before the greeting", at: undefined, ...failed },
  { name: "after the greeting", at: { side: "there", phase: "copying" }, ...failed },
  { name: "while it is copied", at: { side: "here", bytes: 8 * mib }, ...failed },
  { name: "when all is there", at: { side: "there", phase: "ready" }, ...readyThere },
  ...lateMoments,
];

const killsHere: readonly Moment[] = [
  {
    ...{ name: "before the other side accepted", at: { side: "there", phase: "copying" } },
    ...{ code: undefined, running: "", doubts: [], end: "" },
  },
  {
    ...{ name: "while it is copied", at: { side: "here", bytes: 8 * mib } },
    ...{ code: undefined, running: "", doubts: [], end: "" },
  },
  {
    ...{ name: "when it is given up", at: { side: "here", phase: "given" } },
    ...{ ...doubt, code: undefined, decided: ["here", "--there"], end: "there" },
  },
  {
    ...{ name: "when it arrived", at: { side: "here", phase: "gone" } },
    ...{ code: undefined, running: "there", doubts: [], end: "there" },
  },
];

const killsThere: readonly Moment[] = [
  { name: "while it is copied", at: { side: "here", bytes: 8 * mib }, ...failed },
  { name: "when all is there", at: { side: "there", phase: "ready" }, ...failed },
  {
    ...{ name: "when it took it", at: { side: "there", phase: "taken" } },
    ...{ ...doubt, doubts: ["here"], decided: ["here", "--here", "--other-is-gone"], end: "here" },
  },
];

const killsOfTheEar: readonly Moment[] = [
  { name: "before it accepted", at: { side: "there", phase: "copying" }, ...failed },
  { name: "while it is copied", at: { side: "here", bytes: 8 * mib }, ...failed },
  { name: "when all is there", at: { side: "there", phase: "ready" }, ...readyThere },
  ...lateMoments,
];

let story: MoveStory;
beforeAll(async () => {
  story = await MoveStory.open(
    cable === undefined ? {} : { prefixes: cable.prefixes, address: cable.address },
  );
});
afterAll(async () => {
  await story[Symbol.asyncDispose]();
  cable?.[Symbol.dispose]();
});
beforeEach(async () => {
  await story.here.removeAll();
  await story.there.removeAll();
  await story.deafen();
  await story.listen();
  await story.here.start();
});

/** @param mend what makes the two sides see each other again */
async function tell(moment: Moment, command: string, mend: () => Promise<void>): Promise<void> {
  const { at, code, running, doubts, decided, end } = moment;
  if (at === undefined) cable?.unplug();
  else story.at(at, command);
  const moved = await story.migrate();
  if (code === undefined) expect(moved.exitCode).not.toBe(0);
  else expect(story.here.codeOf(moved)).toBe(code);
  expect(await story.running()).toBe(running);
  await mend();
  await eventually(
    "what is in doubt is told",
    async () => {
      const told = { here: await story.here.list(), there: await story.there.list() };
      const sides = (["here", "there"] as const).filter((side) =>
        told[side].some((machine) => machine.doubt !== null),
      );
      return sides.join() === doubts.join();
    },
    60_000,
  );
  if (decided !== undefined) {
    const [side, ...words] = decided;
    await story[side].must("migrate", "work", "--resolve", ...words);
  }
  expect(await story.running()).toBe(end);
  if (end !== "there") await arrivesNow(end === "here");
}

/** Its name is free there, and what was cut off is not in the way of another. */
async function arrivesNow(runsHere: boolean): Promise<void> {
  if (!runsHere) {
    await story.here.removeAll();
    await story.here.start();
  }
  await story.deafen();
  await eventually(
    "its name is free there",
    async () => {
      const left = await story.there.list();
      return left.every(({ state }) => state !== "running" && state !== "starting");
    },
    60_000,
  );
  await story.listen();
  const left = await story.there.list();
  if (left.some(({ state }) => state === "failed")) await story.there.must("rm", "work");
  const moved = await story.migrate();
  expect(moved.exitCode, moved.stdout.toString() + moved.stderr).toBe(0);
  expect(await story.running()).toBe("there");
}

const supervisorThere = `sed -E 's/.*"pid":([0-9]+).*/\\1/' $THERE/run.json`;
const listenAgain = async (): Promise<void> => {
  await story.deafen();
  await story.listen();
};

describe.skipIf(cable === undefined)("a move whose cable is unplugged", () => {
  it.each(cuts)("$name", (moment) => {
    return tell(moment, cable?.unplugCommand ?? "", () => Promise.resolve(cable?.plugIn()));
  });
});

describe.skipIf(cable === undefined)("a move that is decided while the cable is unplugged", () => {
  it("stays decided when what was still under way comes late", async () => {
    story.at({ side: "here", phase: "given" }, cable?.unplugCommand ?? "");
    expect(story.here.codeOf(await story.migrate())).toBe("MIGRATION_IN_DOUBT");
    const decided = await story.there.decide("--there");
    const { token } = JSON.parse(decided.stdout.toString()) as { token: string };
    await story.here.must("migrate", "work", "--resolve", "--here", "--token", token);
    expect(await story.running()).toBe("here");
    cable?.plugIn(); // the host sends what it could not: the word that the machine is given up
    await eventually(
      "it is no more there",
      async () => (await story.there.list()).length === 0,
      90_000,
    );
    expect(await story.running()).toBe("here");
  });
});

describe("a move whose supervisor here is killed", () => {
  it.each(killsHere)("$name", (moment) => {
    const isOther = moment.at?.side === "there";
    const command = isOther
      ? "kill -9 $(sed -E 's/.*\"pid\":([0-9]+).*/\\1/' $HERE/run.json)"
      : "kill -9 $SUPERVISOR";
    return tell(moment, command, () => Promise.resolve());
  });
});

describe("a move whose supervisor there is killed", () => {
  it.each(killsThere)("$name", (moment) => {
    const isOther = moment.at?.side === "here";
    const command = isOther ? `kill -9 $(${supervisorThere})` : "kill -9 $SUPERVISOR";
    return tell(moment, command, () => Promise.resolve());
  });
});

describe("a move whose listener is killed", () => {
  it.each(killsOfTheEar)("$name", (moment) => tell(moment, "kill -9 $EAR", listenAgain));
});
