import { describe, expect, it } from "vitest";
import { buildCard } from "../../../src/approvals/card/build-card.ts";
import { buildChangeCard } from "../../../src/runtime/values.ts";
import { renderCard } from "../../../src/tui/card-lines.ts";
import { createStyle } from "../../../src/tui/style.ts";
import { makeChange, makeChangeSet } from "../../support/change-set.ts";
import { makeSubject } from "../../support/envelope.ts";
import { findUnsafe } from "../../support/shown-text.ts";

const plain = { columns: 80, style: createStyle(false), leftS: 299.7 };

describe("a card on 80 columns", () => {
  it("of files has a row for each, and below what else is to be known", () => {
    const card = buildChangeCard(
      makeChangeSet(
        [
          makeChange("src/app/loader.py", { lines: { added: 12, removed: 4 } }),
          makeChange(".github/workflows/x.yml", {
            ...{ kind: "added", before: null, lines: { added: 21, removed: 0 } },
            flags: ["runs in your CI"],
          }),
          makeChange("src/main.ts", { conflict: "changed on the host meanwhile" }),
        ],
        {
          refused: [{ path: "../out", reason: "leaves the folder" }],
          refusedCount: 5,
          leftBehind: { paths: ["a", "b", "c", "d"], count: 90 },
        },
      ),
    );
    expect(`\n${renderCard(card, plain)}\n`).toMatchInlineSnapshot(`
      "
        3 files changed, 1 flagged, 1 in conflict          card 7K2M · expires in 4:59
        M  src/app/loader.py        +12 −4
        A  .github/workflows/x.yml  +21       ⚑ runs in your CI
        M  src/main.ts              +1 −2     ✗ changed on the host meanwhile
        ✗  ../out  refused: leaves the folder
        ✗  and 4 more refused
        ignored files stayed in the machine: a, b, c and 87 more

        about     changeSet "7K2M" · root "/home/ada/shop" · command "make"
        why       files of yours change only with your yes → ask
        risk      high, undone by hand
        on yes    exactly these contents are written into /home/ada/shop; all of
                    them, or nothing
        or answer luminaguard approvals reopen 7K2M
      "
    `);
  });

  it("of a tool call shows every argument, the agent's words in a box", () => {
    const card = buildCard(
      makeSubject({
        args: { repo: "acme/shop", number: 418, method: "squash", body: "one\ntwo" },
        says: "All checks are green, merging as you asked.",
        taint: { tainted: true, sources: ["web page example.org"] },
      }),
    );
    expect(`\n${renderCard(card, plain)}\n`).toMatchInlineSnapshot(`
      "
        github.merge_pull_request                          card P4TX · expires in 4:59
        asked by  agent release helper, task 12, machine vm-3f
        server    github
        tool      merge_pull_request
        repo      "acme/shop"
        number    418
        method    "squash"
        body      "one\\n"
                  "two"
        why       unannotated tool on an authenticated server → ask
        risk      high, cannot be undone
        on yes    this exact call runs once; nothing is remembered
        or answer luminaguard approvals approve P4TX
        ⚑ first call of this tool
        ⚑ text from outside may have steered the asker: web page example.org

        ┌─ the agent says ───────────────────────────────────────────────────────────┐
        │ All checks are green, merging as you asked.                               │
        └────────────────────────────────────────────────────────────────────────────┘
      "
    `);
  });

  it("has colours that take no room, and nothing else a terminal acts on", () => {
    const card = buildChangeCard(
      makeChangeSet([makeChange("a\u001b[2J\u202e", { flags: ["x"], conflict: "y\r" })]),
    );
    const painted = renderCard(card, { ...plain, style: createStyle(true) });
    expect(painted).toContain("\u001b[33m");
    expect(findUnsafe(Buffer.from(painted))).toBeUndefined();
    // eslint-disable-next-line no-control-regex -- colours start with one
    expect(painted.replaceAll(/\u001b\[\d+m/g, "")).toBe(renderCard(card, plain));
  });

  it("shows every row, however many", () => {
    const set = makeChangeSet(Array.from({ length: 20_000 }, (_, at) => makeChange(`file-${at}`)));
    expect(renderCard(buildChangeCard(set), plain).match(/^ {2}M /gm)).toHaveLength(20_000);
  });
});
