/**
 * Whatever an approved envelope names, nothing outside the folder is written (A10). The envelope is one that
 * no machine can make: the last door is tried alone. Prior art: CVE-2026-32055 and CVE-2026-31990, paths
 * that led out on the way back; CVE-2026-39861 and CVE-2026-25724, by way of a link; CVE-2026-25722.
 */
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { amendWriteBack } from "../../src/runtime/cliff/write-back-amend.ts";
import type { ChangeSet } from "../../src/runtime/values.ts";
import { yes } from "../support/answers.ts";
import { keepChanges } from "../support/kept-changes.ts";
import type { KeptChanges } from "../support/kept-changes.ts";
import { readTree } from "../support/make-tree.ts";

const host = { "a.txt": "old\n", ".git/config": "mine\n", "sub/x": "x\n" };
const guest = { "evil.txt": "evil\n", "sub/x": "x\n", "a.txt": "old\n" };

/** The kept set, in the store and in the envelope, with another name for its one file. */
function rename({ exchange, set }: KeptChanges, path: string): ChangeSet {
  const evil: ChangeSet = { ...set, changes: set.changes.map((change) => ({ ...change, path })) };
  writeFileSync(join(exchange.stateDir, "changes", set.id, "set.json"), JSON.stringify(evil));
  return evil;
}

async function isRefused(
  path: (kept: KeptChanges) => string,
  plant: (kept: KeptChanges) => void = () => undefined,
): Promise<void> {
  await using kept = await keepChanges(host, guest);
  plant(kept);
  const { base } = kept.exchange;
  mkdirSync(join(base, "outside"), { recursive: true });
  const evil = rename(kept, path(kept));
  const before = { tree: kept.exchange.tree(), outside: readTree(join(base, "outside")) };
  const asked = await kept.ask(evil);
  await kept.open.cliff.decide(asked.card.envelope.id, yes(asked.card));
  await expect(kept.write(asked)).rejects.toThrow();
  // a person's choice of a part goes through the same door
  const again = await kept.ask(evil);
  const parts = { cliff: kept.open.cliff, changes: kept.lumina.changes, by: "test" };
  for (const hunks of [{}, { [path(kept)]: [0] }]) {
    const amending = amendWriteBack(parts, again.card, { paths: [path(kept)], hunks });
    await expect(amending).rejects.toThrow();
  }
  expect(kept.exchange.tree()).toEqual(before.tree);
  expect(readTree(join(base, "outside"))).toEqual(before.outside);
  expect(readTree(base)).not.toHaveProperty("evil.txt");
}

describe("an approved change", () => {
  it.each([
    "../evil.txt",
    "../outside/evil.txt",
    "sub/../../outside/evil.txt",
    "..",
    "./../outside/evil.txt",
    "sub/./x",
    "sub//x",
    ".git/hooks/pre-commit",
    ".GIT/hooks/pre-commit",
    "sub/.git/config",
    ".g\u200cit/config",
    "git~1/config",
    "a\\..\\..\\evil.txt",
    "evil.txt\u0000.png",
    ".luminaguard-apply-0/new/1",
  ])("of %j is not written", async (path) => {
    await isRefused(() => path);
  });

  it("of an absolute path is not written", async () => {
    await isRefused(({ exchange }) => join(exchange.base, "outside/evil.txt"));
  });

  it("below a folder that became a link is not written", async () => {
    await isRefused(
      () => "link/evil.txt",
      ({ exchange: { base, root } }) => {
        mkdirSync(join(base, "outside"));
        symlinkSync(join(base, "outside"), join(root, "link"));
      },
    );
  });

  it("below a file is not written", async () => {
    await isRefused(() => "a.txt/evil.txt");
  });

  it("in a folder that became a link after the card is not written", async () => {
    await using kept = await keepChanges(host, guest);
    const { root, base } = kept.exchange;
    const asked = await kept.ask();
    renameSync(root, join(base, "moved"));
    mkdirSync(join(base, "outside"));
    symlinkSync(join(base, "outside"), root);
    await kept.open.cliff.decide(asked.card.envelope.id, yes(asked.card));
    await expect(kept.write(asked)).rejects.toMatchObject({ code: "WORKSPACE_REFUSED" });
    expect(readTree(join(base, "outside"))).toEqual({});
    expect(readFileSync(join(base, "moved/a.txt"), "utf8")).toBe("old\n");
  });
});
