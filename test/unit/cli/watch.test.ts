/** `approvals watch` beside a program that asks: two LuminaGuards on one ledger. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { approvalsWatch } from "../../../src/cli/commands/watch.ts";
import { draftWriteBack } from "../../../src/runtime/cliff/write-back.ts";
import { ask, no } from "../../support/answers.ts";
import { draftCall } from "../../support/cliff.ts";
import { createDryLumina } from "../../support/dry-lumina.ts";
import { eventually } from "../../support/eventually.ts";
import { makeExchange } from "../../support/exchange.ts";
import { createFakeIo } from "../../support/fake-io.ts";
import { createFakeKeyboard } from "../../support/fake-keyboard.ts";

afterEach(() => vi.unstubAllEnvs());

const origin = { run: "run", machine: null, exitCode: 0, timedOut: false };

describe("whoever watches for cards", () => {
  it("is told of a folder whose policy is broken, answers nothing for it, and goes on", async () => {
    using exchange = makeExchange({ "a.txt": "a" });
    const { set } = await exchange.run({ "a.txt": "A" });
    if (set === undefined) throw new Error("there are changes");
    await using dry = await createDryLumina({ stateDir: exchange.stateDir });
    for (const name of ["state", "config", "runtime"] as const) {
      vi.stubEnv(`LUMINAGUARD_${name.toUpperCase()}_DIR`, dry.lumina.config[`${name}Dir`]);
    }
    const { cliff, ledger } = await dry.lumina.approvals.open(exchange.root);
    using _face = cliff.attach("test");
    const files = await ask(cliff, draftWriteBack(set, origin), { shortId: set.id });
    mkdirSync(join(exchange.root, ".luminaguard"));
    writeFileSync(join(exchange.root, ".luminaguard", "policy.cedar"), "permit (\u001b[2J");

    const keyboard = createFakeKeyboard(["r", "enter"]);
    const { io, stderr } = createFakeIo({ terminal: true, keyboard });
    const watching = approvalsWatch(io, {});
    const line = `  card ${set.id} cannot be answered here: .luminaguard/policy.cedar:1:`;
    await eventually("it is said", () => stderr().includes(line));
    const call = await ask(cliff, draftCall());
    expect(await call.verdict).toMatchObject({ outcome: "rejected" });
    process.emit("SIGTERM", "SIGTERM");
    expect(await watching).toBe(143);
    expect(stderr().split(line)).toHaveLength(2);
    expect(stderr()).not.toContain("\u001b");
    expect(ledger.get(files.card.envelope.id)?.state).toBe("pending");
    await cliff.decide(files.card.envelope.id, no(files.card));
    await files.verdict;
  });
});
