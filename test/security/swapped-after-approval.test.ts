/**
 * What was shown is what runs, or nothing runs (A1). Prior art: CVE-2026-32921, CVE-2026-32978 and
 * CVE-2026-32979, where a script changed on disk after it was approved; CVE-2026-29608 and CVE-2026-53822,
 * where what was approved was put together anew; CVE-2026-88968, a file exchanged before an edit.
 */
import { createHash } from "node:crypto";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { amendWriteBack } from "../../src/runtime/cliff/write-back-amend.ts";
import { buildCard } from "../../src/runtime/values.ts";
import type { Change } from "../../src/runtime/values.ts";
import { ask, yes } from "../support/answers.ts";
import { createCliHome } from "../support/cli.ts";
import { keepChanges } from "../support/kept-changes.ts";
import type { KeptChanges } from "../support/kept-changes.ts";
import { createOwnLumina } from "../support/lumina.ts";
import { makeTempDir, makeTree, readTree } from "../support/make-tree.ts";
import { openTerminal } from "../support/terminal.ts";

const host = { "a.txt": "old\n" };
const guest = { "a.txt": "shown\n", "b.txt": "shown too\n" };
const evil = "evil\n";
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Another program of this user rewrites a kept set; what it says of the changes is `edit`'s. */
function rewriteSet(folder: string, edit: (set: Record<string, unknown>) => object): void {
  const path = join(folder, "set.json");
  const set = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify({ ...set, ...edit(set) }));
}

/** Each file of the set becomes the evil one, in its blobs and in what names them. */
function swapWhole(folder: string): void {
  writeFileSync(join(folder, "blobs", sha256(evil)), evil);
  rewriteSet(folder, ({ changes }) => ({
    changes: (changes as Change[]).map((change) => ({
      ...change,
      after: { kind: "file", executable: false, size: evil.length, sha256: sha256(evil) },
    })),
  }));
}

/** The folder beside the workspace that an attacker would rather have written to. */
function makeElsewhere({ exchange }: KeptChanges): string {
  const elsewhere = join(exchange.base, "elsewhere");
  makeTree(elsewhere, host);
  return elsewhere;
}

const swaps: readonly (readonly [string, (folder: string, kept: KeptChanges) => void])[] = [
  [
    "a content",
    (folder) => writeFileSync(join(folder, "blobs", sha256(guest["a.txt"])), "evil!\n"),
  ],
  [
    "a content that became a link",
    (folder, { exchange }) => {
      const blob = join(folder, "blobs", sha256(guest["b.txt"]));
      writeFileSync(join(exchange.base, "evil"), evil);
      rmSync(blob);
      symlinkSync(join(exchange.base, "evil"), blob);
    },
  ],
  ["every content and the set that names them", (folder) => swapWhole(folder)],
  [
    "the executable bit",
    (folder) =>
      rewriteSet(folder, ({ changes }) => ({
        changes: (changes as Change[]).map((change) => ({
          ...change,
          after: { ...change.after, executable: true },
        })),
      })),
  ],
  [
    "the folder it goes to",
    (folder, kept) => {
      rewriteSet(folder, () => ({ root: makeElsewhere(kept) }));
    },
  ],
  ["the whole set, which is gone", (folder) => rmSync(folder, { recursive: true })],
];

describe("a set of changes that is exchanged after its card was drawn", () => {
  it.each(swaps)("is not written: %s", async (_what, swap) => {
    await using kept = await keepChanges(host, guest);
    const asked = await kept.ask();
    swap(join(kept.exchange.stateDir, "changes", kept.set.id), kept);
    await kept.open.cliff.decide(asked.card.envelope.id, yes(asked.card));
    await expect(kept.write(asked)).rejects.toThrow();
    expect(kept.exchange.tree()).toEqual(host);
    expect(readTree(makeElsewhere(kept))).toEqual(host);
    expect(kept.open.ledger.get(asked.card.envelope.id)?.state).toBe("failed");
  });

  it.each(swaps)("is not written in part either: %s", async (_what, swap) => {
    await using kept = await keepChanges(host, guest);
    const { card } = await kept.ask();
    swap(join(kept.exchange.stateDir, "changes", kept.set.id), kept);
    const parts = { cliff: kept.open.cliff, changes: kept.lumina.changes, by: "test" };
    const choice = { paths: ["a.txt", "b.txt"], hunks: { "a.txt": [0] } };
    // a part is made anew from contents that are hashed again: the shown ones, or none
    await amendWriteBack(parts, card, choice).catch(() => undefined);
    expect([host, guest]).toContainEqual(kept.exchange.tree());
    expect(readTree(makeElsewhere(kept))).toEqual(host);
  });

  it("gets nothing of what was added to it", async () => {
    await using kept = await keepChanges(host, guest);
    const asked = await kept.ask();
    const folder = join(kept.exchange.stateDir, "changes", kept.set.id);
    rewriteSet(folder, ({ changes }) => ({
      changes: [{ ...(changes as Change[])[1], path: ".bashrc" }, ...(changes as Change[])],
    }));
    await kept.open.cliff.decide(asked.card.envelope.id, yes(asked.card));
    await kept.write(asked);
    expect(kept.exchange.tree()).toEqual(guest);
  });

  it("takes no folder away that was not on the card", async () => {
    const before = { "a.txt": "old\n", mine: null };
    await using kept = await keepChanges(before, { "a.txt": "shown\n", mine: null });
    const asked = await kept.ask();
    const folder = join(kept.exchange.stateDir, "changes", kept.set.id);
    rewriteSet(folder, () => ({ removedFolders: ["mine"] }));
    await kept.open.cliff.decide(asked.card.envelope.id, yes(asked.card));
    await kept.write(asked);
    expect(kept.exchange.tree()).toEqual({ ...before, "a.txt": "shown\n" });
  });

  it("takes away the folders on the card with all else, or is not written", async () => {
    for (const removedFolders of [["d"], []]) {
      await using kept = await keepChanges(
        { "a.txt": "old\n", "d/x": "x\n" },
        { "a.txt": "shown\n" },
      );
      const asked = await kept.ask();
      expect(buildCard(asked.card).remarks).toEqual(["D  d/  folder removed, once it is empty"]);
      rewriteSet(join(kept.exchange.stateDir, "changes", kept.set.id), () => ({ removedFolders }));
      await kept.open.cliff.decide(asked.card.envelope.id, yes(asked.card));
      const isKept = removedFolders.length > 0;
      await (isKept ? kept.write(asked) : expect(kept.write(asked)).rejects.toThrow());
      const after = isKept ? { "a.txt": "shown\n" } : { "a.txt": "old\n", "d/x": "x\n" };
      expect(kept.exchange.tree()).toEqual(after);
    }
  });

  it("is not written when a person says yes to the card that still stands in the terminal", async () => {
    await using home = await createCliHome();
    makeTree(home.project, host);
    const script = "echo shown > a.txt; echo shown too > b.txt";
    await using terminal = openTerminal(home, ["run", "--", "sh", "-c", script]);
    const [, id = ""] = /card (\w+)/.exec(await terminal.sees("[r] reject")) ?? [];
    swapWhole(join(home.stateDir, "changes", id));
    await terminal.answers("a", /is not what was approved[^]*exit code 125/);
    expect(readTree(home.project)).toEqual(host);
  });
});

describe("a script that is an operand", () => {
  const run = promisify(execFile);

  /** A command on the host needs a rule of the person's own; here it is to be asked about. */
  async function askForScript() {
    const temp = makeTempDir();
    const own = await createOwnLumina();
    mkdirSync(join(own.folder, "config", "policy"), { recursive: true });
    writeFileSync(
      join(own.folder, "config", "policy", "own.cedar"),
      `permit (principal, action == Action::"host-command", resource) when { context.approval == "human" };`,
    );
    const { cliff, operands } = await own.lumina.approvals.open();
    const script = join(temp.path, "deploy.sh");
    writeFileSync(script, "echo shown > out\n");
    const operand = { name: "deploy.sh", ...(await operands.put(readFileSync(script))) };
    const argv = ["sh", "deploy.sh"];
    const face = cliff.attach("test");
    const asked = await ask(cliff, {
      ...{ who: "helper", run: "R1", tool: "host.command", args: { argv }, operands: [operand] },
      effects: [{ kind: "host-command", argv, cwd: temp.path }],
    });
    return {
      ...{ temp, script, asked, operand, operands },
      blob: join(own.folder, "state", "operands", operand.sha256),
      approve: () => cliff.decide(asked.card.envelope.id, yes(asked.card)),
      execute: () =>
        cliff.execute(asked.card.envelope.id, async (envelope) => {
          const [{ sha256: named } = { sha256: "" }] = envelope.operands;
          const copy = join(temp.path, "copy");
          writeFileSync(copy, await operands.read(named));
          await run("sh", [copy], { cwd: temp.path });
        }),
      [Symbol.asyncDispose]: async () => {
        face[Symbol.dispose]();
        await own[Symbol.asyncDispose]();
        temp[Symbol.dispose]();
      },
    };
  }

  it("runs as it was shown, whatever became of the file it was copied from", async () => {
    await using story = await askForScript();
    writeFileSync(story.script, "echo evil > out\n");
    await story.approve();
    await story.execute();
    expect(readFileSync(join(story.temp.path, "out"), "utf8")).toBe("shown\n");
  });

  it("does not run when its copy was changed", async () => {
    await using story = await askForScript();
    writeFileSync(story.blob, "echo evil > out\n");
    await story.approve();
    await expect(story.execute()).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect(readTree(story.temp.path)).toEqual({ "deploy.sh": "echo shown > out\n" });
  });
});
