import { describe, expect, it } from "vitest";
import { ask, no } from "../../support/answers.ts";
import { draftCall } from "../../support/cliff.ts";
import { createDryLumina } from "../../support/dry-lumina.ts";

describe("the prompts of a run", () => {
  it("are the cards a person could answer, and those that were answered; an edited one counts once", async () => {
    await using dry = await createDryLumina();
    const { cliff } = await dry.lumina.approvals.open();
    await cliff.request(draftCall()); // nobody could be asked
    using _face = cliff.attach("test");
    const rejected = await ask(cliff, draftCall({ number: 1 }));
    await cliff.decide(rejected.card.envelope.id, no(rejected.card));
    const edited = await ask(cliff, draftCall({ number: 2 }));
    await cliff.amend(edited.card.envelope.id, draftCall({ number: 3 }), { by: "test" });
    const asker = new AbortController();
    const withdrawn = await ask(cliff, draftCall({ number: 4 }), { signal: asker.signal });
    asker.abort();
    await withdrawn.verdict;
    const denied = { kind: "host-command", argv: ["make"], cwd: "/" } as const;
    await cliff.request({ ...draftCall(), effects: [denied] });
    const { run } = draftCall();
    expect(await dry.lumina.approvals.countPrompts(run)).toEqual({ asked: 3, answered: 2 });
    expect(await dry.lumina.approvals.countPrompts("another")).toEqual({ asked: 0, answered: 0 });
  });
});
