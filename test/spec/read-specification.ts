/**
 * SPECIFICATION.md as data. A row is `| S1.1 | promise | citation<br>citation |`, and a citation is
 * a test file in backticks, "›" and the test's title: `` `test/unit/vm/pool.test.ts` › title ``.
 */
import ts from "typescript";

export interface Citation {
  readonly file: string;
  readonly title: string;
}

export interface Promised {
  readonly id: string;
  readonly promise: string;
  readonly citations: readonly Citation[];
  /** parts of the last column that are no citation */
  readonly unread: readonly string[];
}

export function readSpecification(page: string): readonly Promised[] {
  return page.split("\n").flatMap((line) => {
    const cells = splitCells(line);
    const [id = "", promise = "", tests = ""] = cells;
    if (cells.length !== 3 || !/^S\d+\.\d+$/.test(id)) return [];
    const parts = tests
      .split(/<br\s*\/?>/)
      .map((part) => part.trim())
      .filter((part) => part !== "");
    const read = parts.map((part) => ({ part, match: /^`([^`]+)` › (.+)$/.exec(part) }));
    const citations = read.flatMap(({ match }) =>
      match === null ? [] : [{ file: match[1] ?? "", title: match[2] ?? "" }],
    );
    const unread = read.flatMap(({ part, match }) => (match === null ? [part] : []));
    return [{ id, promise, citations, unread }];
  });
}

/** The cells of a table's row; `\|` is a bar in a cell. */
function splitCells(line: string): string[] {
  if (!line.startsWith("|")) return [];
  const cells = line
    .trim()
    .split(/(?<!\\)\|/)
    .slice(1, -1);
  return cells.map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** Ids in the order they have to stand in: S1.2 before S1.10 before S2.1. */
export function compareIds(one: string, other: string): number {
  const [a, b] = [one, other].map((id) => id.slice(1).split(".").map(Number));
  return (a?.[0] ?? 0) - (b?.[0] ?? 0) || (a?.[1] ?? 0) - (b?.[1] ?? 0);
}

/** Every title of a test or a group of tests in a test file, as it is written there. */
export function listTitles(source: string): readonly string[] {
  const titles: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && testCalls.has(nameOf(node.expression))) {
      const [title] = node.arguments;
      if (title !== undefined) titles.push(...textOf(title));
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("test.ts", source, ts.ScriptTarget.Latest));
  return titles;
}

const testCalls: ReadonlySet<string> = new Set(["it", "test", "describe"]);

/** `it` of `it(…)`, `it.runIf(…)(…)` and `it.each(…)(…)`. */
function nameOf(callee: ts.Expression): string {
  if (ts.isIdentifier(callee)) return callee.text;
  if (ts.isPropertyAccessExpression(callee) || ts.isCallExpression(callee)) {
    return nameOf(callee.expression);
  }
  return ts.isTaggedTemplateExpression(callee) ? nameOf(callee.tag) : "";
}

function textOf(title: ts.Expression): readonly string[] {
  if (ts.isStringLiteralLike(title)) return [title.text];
  if (!ts.isTemplateExpression(title)) return [];
  return [title.head.text + title.templateSpans.map(({ literal }) => `%s${literal.text}`).join("")];
}

/** Whether a title stands for another, which may fill the places of its table (`%s`, `$name`). */
export function isTitle(written: string, cited: string): boolean {
  if (written === cited) return true;
  const literal = written.split(/%[sdijof]|\$[a-z][\w.]*/).map((part) => {
    return part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  });
  return literal.length > 1 && new RegExp(`^${literal.join(".+")}$`).test(cited);
}
