import { describe, expect, it } from "vitest";
import { buildCard } from "../../../src/approvals/card/build-card.ts";
import type { Effect } from "../../../src/approvals/effect.ts";
import { editCall } from "../../../src/runtime/cliff/edit-call.ts";
import type { CallEdit } from "../../../src/runtime/cliff/edit-call.ts";
import { buildChangeCard } from "../../../src/runtime/values.ts";
import type { Card, FileDiff } from "../../../src/runtime/values.ts";
import { makeChange, makeChangeSet } from "../../support/change-set.ts";
import { makeSubject } from "../../support/envelope.ts";
import { typeAt } from "../../support/fake-terminal.ts";

const green = buildChangeCard(makeChangeSet([makeChange("a.txt"), makeChange("b\u001b[2J.txt")]));
const red = buildChangeCard(
  makeChangeSet([makeChange("a.txt"), makeChange("ci.yml", { flags: ["runs in your CI"] })]),
);
const harmless: Effect = {
  ...{ kind: "mcp-call", server: "s", tool: "t", harm: "harmless", isFirstCall: true },
};
const destructive: Effect = { ...harmless, harm: "destructive" };
const call = (effect: Effect, more = {}): Card =>
  buildCard(makeSubject({ effects: [effect], ...more }));

const hunk = (text: string): Extract<FileDiff, { kind: "hunks" }>["hunks"][number] => ({
  ...{ oldStart: 1, oldLines: 1, newStart: 1, newLines: 1 },
  lines: [
    { kind: "removed", text: `old ${text}`, hasNoNewline: false },
    { kind: "added", text: `new ${text}`, hasNoNewline: false },
  ],
});
const diffOf = (path: string): Promise<FileDiff> =>
  Promise.resolve({
    kind: "hunks",
    hunks: [hunk(`${path} 1`), hunk(`${path} 2`), hunk(`${path} 3`)],
  });
const rejected = { kind: "reject", reason: "", freeze: false };

describe("a green card", () => {
  it("is approved by a, and by no other key", async () => {
    expect((await typeAt(green, ["a"])).answer).toEqual({ kind: "approve" });
    const others = ["A", "y", "enter", "escape", "tab", "up", "x", "1", "é"];
    expect((await typeAt(green, others)).answer).toEqual({ kind: "no-answer" });
  });

  it.each(["q", "ctrl-c", "ctrl-d"])("is rejected by %s", async (key) => {
    expect((await typeAt(green, [key])).answer).toEqual(rejected);
  });

  it.each([[["ctrl-z"]], [[]]])("has no answer with %j", async (keys) => {
    const { answer, written } = await typeAt(green, keys);
    expect(answer).toEqual({ kind: "no-answer" });
    expect(written).toContain("no answer: that is a no");
  });

  it("counts down, and leaves two lines on the terminal it was given", async () => {
    const { written, screens, settled } = await typeAt(green, ["?", "x", "a"]);
    expect(screens[0]).toMatch(/^ {2}2 files changed {2,}card 7K2M · expires in 5:00$/m);
    expect(written.startsWith("\u001b7\u001b[?1049l\u001b[?1049h")).toBe(true);
    const end = written.slice(written.lastIndexOf("\u001b[?1049l") + 8);
    expect(end).toBe(
      `  card      7K2M · 2 files changed · sha256 ${green.digest.slice(0, 12)}\n  answer    approved\n`,
    );
    expect(settled).toBe(1);
  });

  it("takes a reason with a rejection, as it was typed, bounded and shown escaped", async () => {
    const typed = [...Array.from("nöt x"), "backspace", "now", "tab", "enter"];
    const { answer } = await typeAt(call(harmless), ["r", ...typed]);
    expect(answer).toEqual({ kind: "reject", reason: "nöt now", freeze: true });
    const long = await typeAt(green, ["r", "y".repeat(9000), "enter"]);
    expect(long.answer).toMatchObject({ reason: "y".repeat(500) });
    expect((await typeAt(green, ["r", "x", "escape", "a"])).answer).toEqual({ kind: "approve" });
    expect((await typeAt(green, ["r", "x"])).answer).toEqual({ kind: "no-answer" });
  });
});

describe("a red card", () => {
  it("needs a second key that no hand presses by itself", async () => {
    expect((await typeAt(red, ["a", "a", "a", "enter", "a", "enter"])).answer).toEqual({
      kind: "no-answer",
    });
    expect((await typeAt(red, ["a", "A", "enter"])).answer).toEqual({ kind: "approve" });
    expect((await typeAt(red, ["a", "A", "escape", "q"])).answer).toEqual(rejected);
  });

  it("that nobody can undo needs the word", async () => {
    const card = call(destructive);
    expect((await typeAt(card, ["a", "A", "enter"])).answer).toEqual({ kind: "no-answer" });
    expect((await typeAt(card, ["a", ...Array.from("approve"), "enter"])).answer).toEqual({
      kind: "approve",
    });
  });
});

describe("[e] on a card", () => {
  const editable = buildCard(makeSubject({ effects: [harmless] }), { editable: true });
  const edit = (...saved: readonly (string | undefined)[]): CallEdit & { opened: string[] } => {
    const left = [...saved];
    const opened: string[] = [];
    const envelope = makeSubject({ args: { number: 1 } });
    const real = editCall(envelope, { command: "", environment: {} }, "");
    if (real === undefined) throw new Error("a call can be edited");
    return { ...real, opened, open: (text) => (opened.push(text), Promise.resolve(left.shift())) };
  };

  it("answers with what the arguments became", async () => {
    const { answer, screens, written } = await typeAt(editable, ["e"], {
      edit: edit('{"number":2}'),
    });
    expect(answer).toEqual({ kind: "edit", edit: { args: { number: 2 } } });
    expect(screens[0]).toContain("[e] edit");
    expect(written).toContain("answer    edited: a new card");
  });

  it("says in a line what is wrong, keeps what was typed, and opens it again", async () => {
    const given = edit('{"number":\u001b[2J', '["a"]', '{"number":3}');
    const { answer, screens } = await typeAt(editable, ["e", "e", "e"], { edit: given });
    expect(answer).toEqual({ kind: "edit", edit: { args: { number: 3 } } });
    expect(given.opened).toEqual(['{\n  "number": 1\n}\n', '{"number":\u001b[2J', '["a"]']);
    expect(screens[1]).toMatch(/\\x1b\[2J.* is not valid JSON: \[e\] opens it/);
    expect(screens[2]).toContain("arguments are one JSON object: [e] opens it again");
  });

  it("that changed nothing goes back to the card", async () => {
    const { answer, screens } = await typeAt(editable, ["e", "a"], {
      edit: edit('{ "number": 1.0 }'),
    });
    expect(answer).toEqual({ kind: "approve" });
    expect(screens[1]).toContain("nothing was changed");
  });

  it("is silence when the editor was ended by the clock", async () => {
    const { answer } = await typeAt(editable, ["e"], { edit: edit(undefined) });
    expect(answer).toEqual({ kind: "no-answer" });
  });

  it("is there only where it works, and ? explains it", async () => {
    const { screens } = await typeAt(editable, ["?", "x"], { edit: edit() });
    expect(screens[1]).toMatch(/e {2}change the arguments in your editor/);
    for (const card of [green, call(harmless)]) {
      const plain = await typeAt(card, ["?", "x", "e", "a"], { edit: edit('{"number":2}') });
      expect(plain.answer).toEqual({ kind: "approve" });
      expect(plain.screens.join()).not.toMatch(/\[e\]|your editor/);
    }
  });
});

describe("what is not on the screen", () => {
  const many = buildChangeCard(
    makeChangeSet(Array.from({ length: 100 }, (_, at) => makeChange(`file-${at}`))),
  );

  it("locks the approval until it was", async () => {
    const { answer, screens } = await typeAt(many, ["a", "page-down", "a"]);
    expect(answer).toEqual({ kind: "no-answer" });
    expect(screens[0]).toContain("approve is locked: 85 more lines of the card below");
    expect(screens[1]).toContain("not yet:");
    expect((await typeAt(many, ["end", "a"])).answer).toEqual({ kind: "approve" });
    const paged = Array.from({ length: 7 }, () => " ");
    expect((await typeAt(many, [...paged, "a"])).answer).toEqual({ kind: "approve" });
  });

  it("includes what an argument was cut by: it says how much, and wants it opened", async () => {
    const card = call(harmless, { args: { script: `${"x".repeat(200_000)}; rm -rf ~` } });
    const { answer, screens } = await typeAt(card, ["end", "a", "v", "G", "q", "a"]);
    expect(screens.join()).toContain("198,012 bytes more are not shown here: [v] shows them");
    expect(screens[2]).toContain("not yet: [v] shows all of script");
    expect(screens[4]).toContain("; rm -rf ~");
    expect(answer).toEqual({ kind: "approve" });
    const unread = await typeAt(card, ["end", "v", "q", "a"]);
    expect(unread.answer).toEqual({ kind: "no-answer" });
  });

  it("may be opened in the person's own pager", async () => {
    const card = call(harmless, { args: { script: "x".repeat(5000) } });
    let paged = "";
    const pager = (text: string): Promise<void> => Promise.resolve(void (paged = text));
    expect((await typeAt(card, ["end", "v", "a"], { pager })).answer).toEqual({ kind: "approve" });
    expect(paged).toContain("x".repeat(5000));
  });
});

describe("the differences", () => {
  it("are shown on v, with what a terminal would act on written out", async () => {
    const { screens } = await typeAt(green, ["v", "q"], { diffOf });
    expect(screens[1]).toContain('── M  "b\\u001b[2J.txt"  +1 −2');
    expect(screens[1]).toContain("-old b\\x1b[2J.txt 1\n+new b\\x1b[2J.txt 1\n");
  });
});

describe("going file by file", () => {
  it("chooses what got a y", async () => {
    expect((await typeAt(green, ["f", "n", "y"])).answer).toEqual({
      kind: "choose",
      choice: { paths: ["b\u001b[2J.txt"], hunks: {} },
    });
  });

  it("and hunk by hunk chooses their numbers", async () => {
    const { answer } = await typeAt(green, ["f", "h", "y", "n", "y", "h", "y", "y", "y"], {
      diffOf,
    });
    expect(answer).toEqual({
      kind: "choose",
      choice: { paths: ["a.txt", "b\u001b[2J.txt"], hunks: { "a.txt": [0, 2] } },
    });
  });

  it.each([[["n", "n"]], [["y", "q"]], [["h", "n", "n", "n", "n"]]])(
    "writes nothing with %j",
    async (keys) => {
      expect((await typeAt(green, ["f", ...keys], { diffOf })).answer).toEqual(rejected);
    },
  );

  it("asks once more where a flagged file is among them", async () => {
    const choice = { paths: ["a.txt", "ci.yml"], hunks: {} };
    expect((await typeAt(red, ["f", "y", "y", "A", "enter"])).answer).toEqual({
      ...{ kind: "choose", choice },
    });
    expect((await typeAt(red, ["f", "y", "y", "enter", "q"])).answer).toEqual(rejected);
  });

  it("takes a yes to a hunk only when its end was on the screen", async () => {
    const long = { ...hunk("x"), lines: Array.from({ length: 60 }, () => hunk("x").lines).flat() };
    const diff = (): Promise<FileDiff> =>
      Promise.resolve({ kind: "hunks", hunks: [long, hunk("y")] });
    const { answer } = await typeAt(green, ["f", "h", "y", "end", "y", "n", "n"], { diffOf: diff });
    expect(answer).toMatchObject({ choice: { paths: ["a.txt"], hunks: { "a.txt": [0] } } });
  });

  it("is a no when the time is up in the middle", async () => {
    expect((await typeAt(green, ["f", "y"])).answer).toEqual({ kind: "no-answer" });
  });
});

describe("a grant", () => {
  const grants = [
    { scopeKind: "task", usesMax: 10, text: 'permit (principal == Agent::"x",\n  action);' },
    { scopeKind: "7 days", usesMax: 20, text: "permit (principal, action);" },
  ] as const;
  const card = buildCard(makeSubject({ effects: [harmless] }), { grants });

  it("shows its rule before the key, and then counts", async () => {
    const { answer, screens } = await typeAt(card, ["g", "1", "5", "enter"]);
    expect(answer).toEqual({ kind: "grant", scopeKind: "task", usesMax: 5 });
    expect(screens[2]).toContain('    permit (principal == Agent::"x",\n      action);');
    expect((await typeAt(card, ["g", "2", "enter"])).answer).toEqual({
      ...{ kind: "grant", scopeKind: "7 days", usesMax: 20 },
    });
  });

  it.each([[["g", "3"]], [["g", "1", "escape"]], [["g", "1", "0", "enter"]]])(
    "is not given with %j",
    async (keys) => {
      expect((await typeAt(card, [...keys, "q"])).answer).toEqual(rejected);
    },
  );

  it("is not there while tainted", async () => {
    const taint = { tainted: true, sources: [] };
    const tainted = buildCard(makeSubject({ effects: [harmless], taint }), { grants });
    expect((await typeAt(tainted, ["g", "1", "enter", "q"])).answer).toEqual(rejected);
  });
});

describe("on a terminal that cannot draw", () => {
  it("everything is printed, without a sequence", async () => {
    const { answer, written } = await typeAt(green, ["?", "v", "a"], { diffOf, isDumb: true });
    expect(answer).toEqual({ kind: "approve" });
    expect(written).not.toContain("\u001b");
    expect(written.match(/\[a\] apply all/g)).toHaveLength(3);
    expect(written).toContain("+new a.txt 1");
  });
});

describe("a terminal that goes away, or a program that is told to end", () => {
  it("is a no", async () => {
    const signal = AbortSignal.abort();
    expect((await typeAt(green, ["a"], { signal })).answer).toEqual({ kind: "no-answer" });
  });
});
