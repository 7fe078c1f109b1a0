import { describe, expect, it } from "vitest";
import { createMachineFolder } from "../../../src/vm/register/machine-folder.ts";
import { writeRecord } from "../../../src/vm/register/machine-record.ts";
import { createDryLumina } from "../../support/dry-lumina.ts";
import type { DryLumina } from "../../support/dry-lumina.ts";

const gone = { pid: 2 ** 22 - 1, startTicks: 1 };

/** A machine that a process made which is dead by now, with these records about it. */
async function loseMachine({ lumina }: DryLumina, ...kinds: readonly string[]): Promise<string> {
  const { runtimeDir } = lumina.config;
  const { id } = await createMachineFolder(runtimeDir, false);
  await writeRecord(runtimeDir, id, { host: gone, vmm: null });
  const { store, audit } = await lumina.openLedger();
  await store.commit(() => {
    for (const kind of kinds) audit.record({ kind, subject: id, facts: {} });
  });
  return id;
}

describe("a machine whose owner was killed", () => {
  it("is recorded as stopped once, by whichever start clears it away", async () => {
    await using dry = await createDryLumina();
    const { cacheDir, stateDir, configDir, runtimeDir } = dry.lumina.config;
    await using other = await createDryLumina({ cacheDir, stateDir, configDir, runtimeDir });
    const id = await loseMachine(dry, "machine-started");
    await Promise.all([dry.lumina.reap(), other.lumina.reap()]);
    await dry.lumina.reap();
    const facts = { requested: false, reason: "the process that owned it was killed" };
    const stopped = await dry.lumina.audit.show({ kind: "machine-stopped" });
    expect(stopped).toMatchObject([{ subject: id, facts }]);
    expect(dry.lumina.machines.list()).toEqual([]);
  });

  it("is not recorded again when its end is known, nor when its start never was", async () => {
    await using dry = await createDryLumina();
    const ids = [
      await loseMachine(dry),
      await loseMachine(dry, "machine-started", "machine-stopped"),
    ];
    expect([...(await dry.lumina.reap())].sort()).toEqual(ids.sort());
    expect(await dry.lumina.audit.show({ kind: "machine-stopped" })).toHaveLength(1);
  });
});
