import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectFolder, readProjectFile } from "../support/repository.ts";
import { compareIds, isTitle, listTitles, readSpecification } from "./read-specification.ts";

const isThere = existsSync(join(projectFolder, "SPECIFICATION.md"));
const rows = isThere ? readSpecification(readProjectFile("SPECIFICATION.md")) : [];

describe.runIf(isThere)("SPECIFICATION.md", () => {
  it("has promises, and this test can read them", () => {
    expect(rows.length).toBeGreaterThanOrEqual(30);
    expect(rows.filter(({ promise }) => promise === "")).toEqual([]);
  });

  it("numbers each promise once, in ascending order", () => {
    const ids = rows.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)].sort(compareIds));
  });

  it("cites at least one test for each promise", () => {
    expect(rows.filter(({ citations }) => citations.length === 0).map(({ id }) => id)).toEqual([]);
    expect(rows.flatMap(({ id, unread }) => unread.map((part) => `${id}: ${part}`))).toEqual([]);
  });

  it("cites only tests that exist", () => {
    const titles = new Map<string, readonly string[] | undefined>();
    const missing = rows.flatMap(({ id, citations }) =>
      citations.flatMap(({ file, title }) => {
        if (!titles.has(file)) titles.set(file, readTitles(file));
        const found = titles.get(file);
        if (found === undefined) return [`${id}: no file ${file}`];
        return found.some((written) => isTitle(written, title))
          ? []
          : [`${id}: no test "${title}" in ${file}`];
      }),
    );
    expect(missing).toEqual([]);
  });
});

function readTitles(file: string): readonly string[] | undefined {
  return existsSync(join(projectFolder, file)) ? listTitles(readProjectFile(file)) : undefined;
}

describe("reading a specification", () => {
  it("gives each row its citations, and what is none", () => {
    const page = [
      "| id | promise | tests |",
      "| --- | --- | --- |",
      "| S1.1 | A machine has no network. | `test/a.test.ts` › has none<br>`test/b.test.ts` › not one |",
      "| S1.2 | a \\| b | none yet |",
      "not | S1.3 | a row |",
    ].join("\n");
    expect(readSpecification(page)).toEqual([
      {
        id: "S1.1",
        promise: "A machine has no network.",
        citations: [
          { file: "test/a.test.ts", title: "has none" },
          { file: "test/b.test.ts", title: "not one" },
        ],
        unread: [],
      },
      { id: "S1.2", promise: "a | b", citations: [], unread: ["none yet"] },
    ]);
  });

  it("puts S1.2 before S1.10 and S1.10 before S2.1", () => {
    expect(["S2.1", "S1.10", "S1.2"].sort(compareIds)).toEqual(["S1.2", "S1.10", "S2.1"]);
  });

  it("finds titles however a test is written", () => {
    const source = `
      describe("a group", () => {
        it("one's \\"own\\"", () => expect("not a title"));
        test.runIf(process.platform === "linux")('two', body);
        it.each([["x", "y"], ["(", ")"]] as const)("three %s", body);
        it.each\`a | b\`("four $a", body);
        describe.each(calls)(\`five \${name} six\`, body);
        test(name, body);
      });`;
    expect(listTitles(source)).toEqual([
      "a group",
      'one\'s "own"',
      "two",
      "three %s",
      "four $a",
      "five %s six",
    ]);
  });

  it("knows a title by its own words only, and a table's with its places filled or not", () => {
    expect(isTitle("stops once", "stops once")).toBe(true);
    expect(isTitle("stops once", "stops")).toBe(false);
    expect(isTitle("is dropped when its %s", "is dropped when its memory grew")).toBe(true);
    expect(isTitle("is dropped when its %s", "is dropped when its %s")).toBe(true);
    expect(isTitle("is dropped when its %s", "is kept when its memory grew")).toBe(false);
    expect(isTitle("a.b %s", "axb c")).toBe(false);
  });
});
