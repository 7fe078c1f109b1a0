import { describe, expect, it } from "vitest";
import { assessAll } from "../../../src/approvals/risk.ts";
import { draftNetworkCard, takeNetworkCardPermit } from "../../../src/runtime/network-card.ts";
import type { NetworkCardPermit } from "../../../src/runtime/network-card.ts";
import { runTask } from "../../../src/runtime/run-task.ts";
import { draftWriteBack } from "../../../src/runtime/cliff/write-back.ts";
import { makeChange, makeChangeSet } from "../../support/change-set.ts";
import { createTestCliff, draftCall } from "../../support/cliff.ts";
import type { TestCliff } from "../../support/cliff.ts";
import { createDryLumina } from "../../support/dry-lumina.ts";

const wish = { run: "run-1", argv: ["curl", "x"], image: "base", workspace: "/home/ada/shop" };

function allowing(): TestCliff {
  const made = createTestCliff();
  made.policy.answer = "allow";
  return made;
}

async function approve({ cliff }: TestCliff): Promise<NetworkCardPermit> {
  const { approval } = await cliff.request(draftNetworkCard(wish));
  return takeNetworkCardPermit(cliff, approval.envelope.id);
}

describe("a machine's network card", () => {
  it("is given once for one yes, and to one machine", async () => {
    await using dry = await createDryLumina();
    const permit = await approve(allowing());
    await using machine = await dry.lumina.spawn({ networkCard: permit });
    expect(machine.facts.nic).toBe("user");
    await expect(dry.lumina.spawn({ networkCard: permit })).rejects.toMatchObject({
      code: "APPROVAL_DENIED",
    });
  });

  it("is not given for a permit that nobody gave, nor for another image", async () => {
    await using dry = await createDryLumina();
    const permit = await approve(allowing());
    for (const [networkCard, image] of [
      [{ ...permit }, "base"],
      [permit, "python"],
    ] as const) {
      await expect(dry.lumina.spawn({ networkCard, image })).rejects.toMatchObject({
        code: "APPROVAL_DENIED",
      });
    }
  });

  it("is not given for another command than the one that was shown", async () => {
    await using dry = await createDryLumina();
    const networkCard = await approve(allowing());
    const request = { argv: ["curl", "y"], networkCard };
    await expect(runTask(dry.lumina, request, { onOutput: () => undefined })).rejects.toMatchObject(
      { code: "APPROVAL_DENIED" },
    );
  });

  it("is not given for a yes to something else", async () => {
    const { cliff } = allowing();
    const { approval } = await cliff.request(draftCall());
    await expect(takeNetworkCardPermit(cliff, approval.envelope.id)).rejects.toMatchObject({
      code: "ENVELOPE_INVALID",
    });
  });

  it("is left out of a machine that nobody asked one for", async () => {
    await using dry = await createDryLumina();
    await using machine = await dry.lumina.spawn();
    expect(machine.facts.nic).toBe("none");
    expect(dry.lumina.machines.list().map(({ hasNetwork }) => hasNetwork)).toEqual([false]);
  });

  it("makes every card of the machine's changes red", () => {
    const origin = { run: "run", machine: null, exitCode: 0, timedOut: false };
    const face = (hadNetwork: boolean): string => {
      const set = makeChangeSet([makeChange("a.txt")], { hadNetwork });
      const { effects, taint } = draftWriteBack(set, origin);
      return assessAll(effects, taint?.tainted ?? false).face;
    };
    expect([face(false), face(true)]).toEqual(["green", "red"]);
  });
});
