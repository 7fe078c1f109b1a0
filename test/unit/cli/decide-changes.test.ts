import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decideChanges } from "../../../src/cli/decide-changes.ts";
import type { DecideOptions, Decision } from "../../../src/cli/decide-changes.ts";
import { createDryLumina } from "../../support/dry-lumina.ts";
import { makeExchange } from "../../support/exchange.ts";
import type { Tree } from "../../support/make-tree.ts";
import { createFakeIo } from "../../support/fake-io.ts";

interface Outcome {
  readonly decision: Decision;
  readonly said: string;
  readonly id: string;
  readonly tree: Tree;
  /** ids of change sets that are kept afterwards */
  readonly kept: readonly string[];
}

/** A change of `a.txt` and a new hook that runs by itself. */
const plainChange = {
  host: { "a.txt": "a" },
  guest: { "a.txt": "A", "package.json": '{"scripts":{}}' },
};

/** Changes, decided without anybody to ask. */
async function decide(
  options: Partial<DecideOptions>,
  meanwhile: (root: string) => void = () => undefined,
  { host, guest }: { readonly host: Tree; readonly guest: Tree } = plainChange,
): Promise<Outcome> {
  using exchange = makeExchange(host);
  const { set } = await exchange.run(guest);
  if (set === undefined) throw new Error("there are changes");
  await using dry = await createDryLumina({ stateDir: exchange.stateDir });
  meanwhile(exchange.root);
  const { io, stderr } = createFakeIo();
  const decision = await decideChanges(io, dry.lumina, set, {
    apply: "ask",
    quiet: false,
    origin: { run: "run", machine: null, exitCode: 0, timedOut: false },
    ...options,
  });
  const kept = (await dry.lumina.changes.list()).map(({ id }) => id);
  return { decision, said: stderr(), id: set.id, tree: exchange.tree(), kept };
}

describe("what becomes of changes", () => {
  it("without anybody to ask is nothing: they are kept, and how to apply them is said", async () => {
    const { decision, said, id, tree, kept } = await decide({});
    expect(decision).toEqual({ exitCode: 10, applied: [], changeSet: id });
    expect(tree).toEqual({ "a.txt": "a" });
    expect(kept).toEqual([id]);
    expect(said).toContain(`card ${id}`);
    expect(said).toContain(`  kept      7 days: luminaguard approvals reopen ${id}\n`);
  });

  it("with --apply never is nothing, too", async () => {
    const { decision, tree } = await decide({ apply: "never" });
    expect(decision.exitCode).toBe(10);
    expect(tree).toEqual({ "a.txt": "a" });
  });

  it("with --apply always is all but flagged files, which are kept", async () => {
    const { decision, said, tree, kept } = await decide({ apply: "always" });
    expect(decision).toMatchObject({ exitCode: 10, applied: ["a.txt"] });
    expect(tree).toEqual({ "a.txt": "A" });
    expect(kept).toEqual([decision.changeSet]);
    expect(said).toContain("  applied   1 of 2\n");
  });

  it("with --apply always is never a rule of LuminaGuard's in the folder, and says why", async () => {
    const path = ".luminaguard/policy.cedar";
    const host = {
      "a.txt": "a",
      [path]: 'forbid (principal, action == Action::"spend", resource);',
    };
    const guest = { "a.txt": "A", [path]: "" };
    const { decision, said, tree } = await decide({ apply: "always" }, undefined, { host, guest });
    expect(decision).toMatchObject({ exitCode: 10, applied: ["a.txt"] });
    expect(tree).toEqual({ ...host, "a.txt": "A" });
    expect(said).toMatch(/policy\.cedar .*⚑ changes LuminaGuard's rules here\n/);
  });

  it("is nothing when the host changed a file meanwhile", async () => {
    const edit = (root: string): void => writeFileSync(join(root, "a.txt"), "mine");
    const { decision, said, tree, kept, id } = await decide({ apply: "always" }, edit);
    expect(decision).toEqual({ exitCode: 12, applied: [], changeSet: id });
    expect(tree).toEqual({ "a.txt": "mine" });
    expect(kept).toEqual([id]);
    expect(said).toContain("conflict");
  });

  it("is decided in silence where one JSON document was asked for", async () => {
    const { decision, said } = await decide({ quiet: true });
    expect(decision.exitCode).toBe(10);
    expect(said).toBe("");
  });
});
