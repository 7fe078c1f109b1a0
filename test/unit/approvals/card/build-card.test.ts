import { describe, expect, it } from "vitest";
import { buildCard } from "../../../../src/approvals/card/build-card.ts";
import { filesOf } from "../../../../src/approvals/card/card.ts";
import type { Card } from "../../../../src/approvals/card/card.ts";
import type { Effect } from "../../../../src/approvals/effect.ts";
import type { JsonObject } from "../../../../src/approvals/json.ts";
import type { Change } from "../../../../src/runtime/values.ts";
import { makeChange } from "../../../support/change-set.ts";
import { makeSubject } from "../../../support/envelope.ts";

const file = { kind: "file", executable: false, size: 20, sha256: "b" } as const;

function cardOf(changes: readonly Change[], args: JsonObject = {}): Card {
  const effect: Effect = {
    ...{ kind: "file-write-back", root: "/home/ada/shop" },
    ...{ added: 0, modified: changes.length, deleted: 0 },
    flags: [],
  };
  return buildCard(
    makeSubject({
      tool: "workspace.write-back",
      effects: [effect],
      args: { ...args, changes: changes as never },
    }),
  );
}

describe("the card of a tool call", () => {
  it("says who asks, what for, why and what happens, with every argument", () => {
    const { digest, ...card } = buildCard(
      makeSubject({
        says: "All checks are green.\nMerging \u202eas you asked.",
        taint: { tainted: true, sources: ["web page example.org"] },
      }),
    );
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(card).toEqual({
      title: "github.merge_pull_request",
      shortId: "P4TX",
      expiresAt: "2026-11-22T10:05:00.000Z",
      asker: { who: "release helper", run: "run-7", task: "12", machine: "vm-3f", parents: [] },
      facts: [
        { name: "server", lines: ["github"], cut: null, section: null },
        { name: "tool", lines: ["merge_pull_request"], cut: null, section: null },
        { name: "repo", lines: ['"acme/shop"'], cut: null, section: null },
        { name: "number", lines: ["418"], cut: null, section: null },
        { name: "method", lines: ['"squash"'], cut: null, section: null },
      ],
      sections: [],
      flags: [
        "first call of this tool",
        "text from outside may have steered the asker: web page example.org",
      ],
      why: {
        answer: "ask",
        rules: ["default.cedar"],
        reason: "unannotated tool on an authenticated server",
      },
      onYes: ["this exact call runs once; nothing is remembered"],
      remarks: [],
      elsewhere: ["luminaguard approvals approve P4TX"],
      says: ["All checks are green.", "Merging \\u{202e}as you asked."],
      choices: ["view", "approve", "reject", "freeze", "stop"],
      grants: [],
      mustOpen: [],
      risk: "high",
      face: "red",
      reversibility: "irreversible",
    });
  });

  it("cuts a long argument, says how much, and holds all of it in a section to be opened", () => {
    const tail = " && rm -rf ~";
    const card = buildCard(makeSubject({ args: { script: "x".repeat(200_000) + tail } }));
    const fact = card.facts.find(({ name }) => name === "script");
    expect(fact?.cut).toEqual({ lines: 0, bytes: 200_000 + tail.length + 2 - 2000 });
    expect(card.mustOpen).toEqual([fact?.section]);
    const [section] = card.sections;
    expect(section).toMatchObject({ kind: "text", title: "script" });
    expect(section?.kind === "text" && section.lines[0]).toHaveLength(200_000 + tail.length + 2);
  });

  it("offers a grant only with its rule, and never while tainted", () => {
    const grants = [{ scopeKind: "task", usesMax: 10, text: "permit (\n  principal\n);" }] as const;
    const card = buildCard(makeSubject(), { grants });
    expect(card.choices).toContain("grant");
    expect(card.grants).toEqual([
      { scopeKind: "task", usesMax: 10, text: ["permit (", "  principal", ");"] },
    ]);
    const taint = { tainted: true, sources: [] };
    expect(buildCard(makeSubject({ taint }), { grants }).choices).not.toContain("grant");
  });

  it("flags words of several scripts wherever they are", () => {
    const card = buildCard(makeSubject({ args: { to: [{ host: "p\u0430ypal.com" }] } }));
    expect(card.flags.join()).toContain("p\u0430ypal (Latin and Cyrillic)");
  });

  it("that is only to be looked at can be answered by nothing", () => {
    expect(buildCard(makeSubject(), { readOnly: true }).choices).toEqual([]);
  });
});

describe("the card of a write-back", () => {
  it("says in words what becomes of each file", () => {
    const link = { kind: "link", target: "../out " } as const;
    const card = cardOf([
      makeChange("added.txt", { kind: "added", before: null, after: { ...file, sha256: "n" } }),
      makeChange("gone.txt", { kind: "deleted", after: null, before: { ...file, sha256: "g" } }),
      makeChange("run.sh", { kind: "mode", lines: null, after: { ...file, executable: true } }),
      makeChange("no-run.sh", { kind: "mode", lines: null, before: { ...file, executable: true } }),
      makeChange("to-link", { kind: "replaced", lines: null, after: link }),
      makeChange("link", { kind: "modified", lines: null, before: link, after: link }),
      makeChange("folder", { kind: "replaced", lines: null, after: { kind: "folder" } }),
      makeChange("small.bin", { binary: true, lines: null, after: { ...file, size: 1234 } }),
      makeChange("old/name", { kind: "deleted", before: { ...file, sha256: "same" }, after: null }),
      makeChange("new/name", { kind: "added", before: null, after: { ...file, sha256: "same" } }),
      makeChange("bad\u202ename", { conflict: "changed on the host\rmeanwhile" }),
    ]);
    expect(filesOf(card).map(({ letter, path, words }) => [letter, path, ...words])).toEqual([
      ["A", "added.txt", "new file"],
      ["D", "gone.txt", "deleted"],
      ["P", "run.sh", "now executable"],
      ["P", "no-run.sh", "no longer executable"],
      ["T", "to-link", 'becomes a link to "../out "'],
      ["M", "link", 'link now leads to "../out "'],
      ["T", "folder", "becomes a folder"],
      ["M", "small.bin", "binary of 1,234 bytes"],
      ["D", "old/name", "renamed to new/name"],
      ["R", "new/name", "renamed from old/name"],
      ["M", '"bad\\u202ename"'],
    ]);
    expect(filesOf(card).at(-1)).toMatchObject({
      exactPath: '"bad\\u202ename"',
      conflict: "changed on the host\\rmeanwhile",
      hasDiff: false,
    });
    expect(card.title).toBe("11 files changed, 1 in conflict");
    expect(card.choices).toContain("files");
  });

  it("counts what is flagged, and says that the command failed", () => {
    const card = cardOf([makeChange("ci.yml", { flags: ["runs in your CI"] }), makeChange("a")], {
      exitCode: 3,
      command: "make",
    });
    expect(card.title).toBe("2 files changed, 1 flagged");
    expect(card.flags).toEqual(["the command ended with exit code 3"]);
    expect(card.facts.map(({ name }) => name)).toEqual(["exitCode", "command"]);
  });

  it("names the folders that go, and shows a list of another form as the argument it is", () => {
    const { facts, remarks } = cardOf([makeChange("a")], { removedFolders: ["d", "\u202ee"] });
    expect(remarks).toEqual([
      "D  d/  folder removed, once it is empty",
      'D  "\\u202ee/"  folder removed, once it is empty',
    ]);
    expect(facts).toEqual([]);
    const other = cardOf([makeChange("a")], { removedFolders: [1] });
    expect(other.facts).toMatchObject([{ name: "removedFolders" }]);
  });

  it("shows changes of another form as the argument they are", () => {
    const card = cardOf([{ ...makeChange("a"), more: 1 } as Change]);
    expect(filesOf(card)).toEqual([]);
    expect(card.title).toBe("workspace.write-back");
    expect(card.facts.map(({ name }) => name)).toEqual(["changes"]);
  });
});

describe("a card for every kind of effect says what a yes does and what is dangerous", () => {
  const cases: readonly (readonly [Effect, onYes: string, flags: readonly string[]])[] = [
    [
      { kind: "host-command", argv: ["rm", "-rf", "a "], cwd: "/tmp" },
      "exactly this command runs once on your computer, outside of any machine, as you",
      ["runs on your computer, not in a machine"],
    ],
    [
      {
        ...{ kind: "network-grant", host: "b\u00fccher.example", port: 443 },
        ...{ methods: ["GET"], isFirstContact: true },
      },
      "requests may leave for bücher.example:443: GET",
      ["first contact with this host", "the host's name has letters beyond a to z"],
    ],
    [
      { kind: "secret-use", secret: "TOKEN", host: "evil.example", isOwnHost: false },
      "the secret TOKEN is sent to evil.example",
      ["not a host of this secret: what is sent cannot be taken back"],
    ],
    [
      {
        ...{ kind: "git-landing", repository: "shop", ref: "main" },
        ...{ before: "a1", after: "b2", isForced: true },
      },
      "main of shop becomes b2",
      ["forced: commits of the old ref are dropped"],
    ],
    [
      { kind: "message", channel: "mail", recipients: ["a@example.org", "b@example.org"] },
      "the message goes out through mail and cannot be taken back",
      ["goes to 2 recipients"],
    ],
    [
      { kind: "policy-change", what: "grant", isWider: true },
      "a grant is added: what it covers is not asked again",
      ["allows more than before"],
    ],
    [
      { kind: "spend", amountMinor: 1205, currency: "EUR", payee: "shop" },
      "12.05 EUR goes to shop",
      [],
    ],
  ];

  it.each(cases)("$kind", (effect, onYes, flags) => {
    const card = buildCard(makeSubject({ effects: [effect], args: {} }));
    expect(card.onYes).toEqual([onYes]);
    expect(card.flags).toEqual(flags);
  });

  it("and shows a command as the argv that runs", () => {
    const argv = ["rm", "-rf", "a "];
    const effect: Effect = { kind: "host-command", argv, cwd: "/tmp" };
    const card = buildCard(makeSubject({ effects: [effect], args: {} }));
    expect(card.facts.map(({ name, lines }) => [name, ...lines])).toEqual([
      ["command", '["rm", "-rf", "a "]'],
      ["in", "/tmp"],
    ]);
  });
});
