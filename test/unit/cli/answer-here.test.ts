/** What a person's keys on a card do beyond the terminal: to the machine that asked, and to its question. */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { answerHere } from "../../../src/cli/answer-here.ts";
import { decideChanges } from "../../../src/cli/decide-changes.ts";
import { stateOf } from "../../../src/process/process-family.ts";
import type { CliffVerdict } from "../../../src/runtime/values.ts";
import { createMachineFolder } from "../../../src/vm/register/machine-folder.ts";
import { ask } from "../../support/answers.ts";
import { createDryLumina } from "../../support/dry-lumina.ts";
import type { DryLumina } from "../../support/dry-lumina.ts";
import { draftCall } from "../../support/cliff.ts";
import { makeExchange } from "../../support/exchange.ts";
import { createFakeIo } from "../../support/fake-io.ts";
import { createFakeKeyboard } from "../../support/fake-keyboard.ts";
import { startSleeper } from "../../support/sleeper.ts";

/** Asks for a call from this machine, types the keys at its card, and gives what the asker is told. */
async function typeAtCall(
  { lumina }: DryLumina,
  machine: string,
  keys: readonly string[],
): Promise<CliffVerdict> {
  const open = await lumina.approvals.open();
  using _face = open.cliff.attach("test");
  const { card, verdict } = await ask(open.cliff, { ...draftCall(), machine });
  const { io } = createFakeIo({ terminal: true });
  await answerHere({ io, lumina, open, keyboard: createFakeKeyboard(keys) }, card);
  return await verdict;
}

describe("a no on the card of a call", () => {
  it("with [Tab] has stopped the asker's machine by the time the asker is told", async () => {
    await using dry = await createDryLumina();
    await using sleeper = await startSleeper();
    const folder = await createMachineFolder(dry.lumina.config.runtimeDir, false);
    await folder.recordProcess(sleeper.identity);
    const verdict = await typeAtCall(dry, folder.id, ["r", "tab", "n", "o", "enter"]);
    expect(stateOf(sleeper.identity)).toBe("stopped");
    expect(verdict).toMatchObject({ outcome: "rejected", reason: "no", freeze: true });
  });

  it("without it stops nothing", async () => {
    await using dry = await createDryLumina();
    await using sleeper = await startSleeper();
    const folder = await createMachineFolder(dry.lumina.config.runtimeDir, false);
    await folder.recordProcess(sleeper.identity);
    const verdict = await typeAtCall(dry, folder.id, ["r", "tab", "tab", "enter"]);
    expect(stateOf(sleeper.identity)).toBe("running");
    expect(verdict).toMatchObject({ outcome: "rejected", reason: "", freeze: false });
  });

  it("with [Tab] counts also when the machine is gone", async () => {
    await using dry = await createDryLumina();
    const verdict = await typeAtCall(dry, "vm-00000", ["r", "tab", "enter"]);
    expect(verdict).toMatchObject({ outcome: "rejected", freeze: true });
  });
});

describe("a call that is edited on its card", () => {
  /** Asks for 418, edits it with these commands one after another, types the keys, and gives what ran. */
  async function typeAndRun(
    dry: DryLumina,
    keys: readonly string[],
    editor: string,
  ): Promise<{ readonly verdict: CliffVerdict; readonly stderr: string }> {
    const open = await dry.lumina.approvals.open();
    using _face = open.cliff.attach("test");
    const { card, verdict } = await ask(open.cliff, draftCall());
    const { io, stderr } = createFakeIo({ terminal: true, editor });
    await answerHere({ io, lumina: dry.lumina, open, keyboard: createFakeKeyboard(keys) }, card);
    return { verdict: await verdict, stderr: stderr() };
  }

  it("is asked about again, and only then runs: with what it is now", async () => {
    await using dry = await createDryLumina();
    const { verdict, stderr } = await typeAndRun(dry, ["e", "a"], "sed -i s/418/419/");
    const { cliff, ledger } = await dry.lumina.approvals.open();
    expect(verdict).toMatchObject({
      outcome: "allowed",
      approval: { decision: { by: "terminal" } },
    });
    const { id, replaces } = verdict.approval.envelope;
    const { shortId } = verdict.approval;
    expect(ledger.get(replaces ?? "")).toMatchObject({
      state: "cancelled",
      outcome: `edited into ${id}`,
    });
    expect(stderr).toMatch(new RegExp(`edited: a new card[^]*card ${shortId}[^]*419`));
    expect(await cliff.execute(id, ({ args }) => Promise.resolve(args))).toEqual({ number: 419 });
    expect(readdirSync(dry.lumina.config.runtimeDir)).toEqual([]);
  });

  it("can be edited again on its new card, and be rejected there", async () => {
    await using dry = await createDryLumina();
    const { verdict } = await typeAndRun(dry, ["e", "e", "q"], "sed -i s/41/4141/");
    expect(verdict).toMatchObject({
      outcome: "rejected",
      approval: { envelope: { args: { number: 4_141_418 } } },
    });
  });

  it("is not approved by the yes that was meant for it before", async () => {
    await using dry = await createDryLumina();
    const { verdict } = await typeAndRun(dry, ["e", "q", "a"], "sed -i s/418/419/");
    expect(verdict.outcome).toBe("rejected");
  });

  it("stays what it was when the editor fails or nothing was changed", async () => {
    await using dry = await createDryLumina();
    for (const editor of ["false", "true", "sed -i s/418/4.18e2/", "no-such-editor-here"]) {
      const { verdict } = await typeAndRun(dry, ["e", "a"], editor);
      expect(verdict.approval.envelope).toMatchObject({ args: { number: 418 }, replaces: null });
    }
  });
});

describe("a card whose face fails", () => {
  it("is withdrawn at once, nothing is written, and the failure is told", async () => {
    using exchange = makeExchange({ "a.txt": "a" });
    const { set } = await exchange.run({ "a.txt": "A" });
    if (set === undefined) throw new Error("there are changes");
    await using dry = await createDryLumina({ stateDir: exchange.stateDir });
    let isClosed = false;
    const keyboard = {
      ...createFakeKeyboard([]),
      next: () => Promise.reject(new Error("the terminal is broken")),
      close: () => void (isClosed = true),
    };
    const { io } = createFakeIo({ terminal: true, keyboard });
    const origin = { run: "run", machine: null, exitCode: 0, timedOut: false };
    const options = { apply: "ask", quiet: false, origin } as const;
    await expect(decideChanges(io, dry.lumina, set, options)).rejects.toThrow("is broken");
    const { ledger } = await dry.lumina.approvals.open();
    expect(ledger.list()).toMatchObject([{ state: "cancelled", shortId: set.id }]);
    expect([exchange.tree(), isClosed]).toEqual([{ "a.txt": "a" }, true]);
    expect(await dry.lumina.changes.list()).toMatchObject([{ id: set.id }]);
  });
});
