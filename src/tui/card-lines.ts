/** A card as lines, in the order a person needs them. Pure. */
import { filesOf } from "../runtime/values.ts";
import type { Card, Fact, FileSection } from "../runtime/values.ts";
import { drawCounts } from "./diff-lines.ts";
import { emptyLine, line, padTo, paintLine, widthOf, wrapLine } from "./line.ts";
import type { Line, Span } from "./line.ts";
import type { Style } from "./style.ts";

/** columns of the names of facts */
const nameColumns = 10;
const valueIndent = nameColumns + 4;

/** `  2 files changed …   card 7K2M · expires in 4:59`, the title below where both do not fit. */
export function drawHead(card: Card, columns: number, leftS: number | undefined): readonly Line[] {
  const clock = leftS === undefined ? "" : ` · expires in ${formatClock(leftS)}`;
  const right = `card ${card.shortId}${clock}`;
  const [title = "", ...marks] = card.title.split(", ");
  const spans: Span[] = [
    { text: "  " },
    { text: title, paint: "bold" },
    ...marks.map((mark): Span => ({
      text: `, ${mark}`,
      paint: mark.endsWith("in conflict") ? "red" : "yellow",
    })),
  ];
  const gap = columns - 2 - widthOf(card.title) - widthOf(right);
  if (gap >= 2)
    return [{ spans: [...spans, { text: " ".repeat(gap) }, { text: right, paint: "dim" }] }];
  return [line(`${" ".repeat(Math.max(0, columns - right.length))}${right}`, "dim"), { spans }];
}

/** All of the card but its head and its keys. */
export function drawBody(card: Card, columns: number): readonly Line[] {
  const files = filesOf(card);
  const pathColumns = Math.min(
    Math.max(16, ...files.slice(0, 1000).map(({ path }) => widthOf(path))),
    Math.max(16, columns - 34),
  );
  const facts = files.length > 0 ? drawFactsInRow(card.facts) : card.facts.flatMap(drawFact);
  return [
    ...files.map((file) => drawFileRow(file, pathColumns)),
    ...card.remarks.map((remark) => line(`  ${remark}`, "dim", 4)),
    ...(files.length > 0 ? [emptyLine] : []),
    ...drawAsker(card, files.length > 0),
    ...facts,
    ...drawWhy(card),
    ...card.onYes.map((sentence) => drawNamed("on yes", sentence)),
    ...card.elsewhere.map((place) => drawNamed("or answer", place)),
    ...drawFlags(card),
    ...drawSays(card, columns),
  ];
}

/** The card as text, for where nothing can be answered. */
export function renderCard(
  card: Card,
  { columns, style, leftS }: { columns: number; style: Style; leftS?: number | undefined },
): string {
  return [...drawHead(card, columns, leftS), ...drawBody(card, columns)]
    .flatMap((each) => wrapLine(each, columns))
    .map((row) => paintLine(row, style).trimEnd())
    .join("\n");
}

function drawFileRow(file: FileSection, pathColumns: number): Line {
  const paints = { A: "green", D: "red" } as const;
  const paint = file.letter === "A" || file.letter === "D" ? paints[file.letter] : "cyan";
  const counts = drawCounts(file);
  const counted = counts.map(({ text }) => text).join("");
  // a row that only has a count says nothing more: "new file" is the letter
  const words = file.words.filter((word) => counted === "" || !/^(new file|deleted)$/.test(word));
  const hasMarks = file.flags.length > 0 || file.conflict !== null;
  const room = hasMarks && words.length === 0 ? Math.max(0, 8 - counted.length) : 0;
  return {
    spans: [
      { text: "  " },
      { text: file.letter, paint },
      { text: `  ${padTo(file.path, pathColumns)}  ` },
      ...counts,
      ...words.map((word, at): Span => ({ text: at === 0 && counted === "" ? word : `  ${word}` })),
      { text: " ".repeat(room) },
      ...file.flags.map((flag): Span => ({ text: `  ⚑ ${flag}`, paint: "yellow" })),
      ...(file.conflict === null
        ? []
        : [{ text: `  ✗ ${file.conflict}`, paint: "red" } satisfies Span]),
    ],
    indent: 7,
  };
}

function drawAsker({ asker }: Card, isWriteBack: boolean): readonly Line[] {
  if (asker === null || (isWriteBack && asker.parents.length === 0)) return [];
  const { who, task, machine, parents } = asker;
  const parts = [
    `agent ${who}`,
    ...(task === null ? [] : [`task ${task}`]),
    ...(machine === null ? [] : [`machine ${machine}`]),
    ...parents.map((parent) => `for ${parent}`),
  ];
  return [drawNamed("asked by", parts.join(", "))];
}

/** Below files the short ones share a line: the files are what matters. */
function drawFactsInRow(facts: readonly Fact[]): readonly Line[] {
  const isShort = ({ lines, cut }: Fact): boolean => cut === null && lines.length === 1;
  const short = facts.filter(isShort).map(({ name, lines }) => `${name} ${lines[0] ?? ""}`);
  return [
    ...(short.length > 0 ? [drawNamed("about", short.join(" · "))] : []),
    ...facts.filter((fact) => !isShort(fact)).flatMap(drawFact),
  ];
}

function drawFact({ name, lines, cut }: Fact): readonly Line[] {
  const [first = "", ...rest] = lines;
  const hidden =
    cut === null
      ? []
      : [
          line(
            `${" ".repeat(nameColumns + 2)}… ${describeCut(cut)} more are not shown here: [v] shows them`,
            "yellow",
            valueIndent,
          ),
        ];
  return [
    drawNamed(name, first),
    ...rest.map((text) => line(`${" ".repeat(nameColumns + 2)}${text}`, undefined, valueIndent)),
    ...hidden,
  ];
}

export function describeCut({ lines, bytes }: NonNullable<Fact["cut"]>): string {
  const size = `${bytes.toLocaleString("en")} bytes`;
  return lines > 0 ? `${size} in ${lines.toLocaleString("en")} lines` : size;
}

function drawNamed(name: string, text: string): Line {
  return {
    spans: [{ text: `  ${padTo(name, nameColumns - 1)} `, paint: "dim" }, { text }],
    indent: valueIndent,
  };
}

function drawWhy({ why, risk, face, reversibility }: Card): readonly Line[] {
  const words = {
    reversible: "can be undone",
    "by-hand": "undone by hand",
    irreversible: "cannot be undone",
  };
  return [
    ...(why === null ? [] : [drawNamed("why", `${why.reason} → ${why.answer}`)]),
    {
      spans: [
        { text: `  ${padTo("risk", nameColumns - 1)} `, paint: "dim" },
        { text: `${risk}, ${words[reversibility]}`, paint: face === "red" ? "red" : undefined },
      ],
      indent: valueIndent,
    },
  ];
}

function drawFlags({ flags }: Card): readonly Line[] {
  return flags.map((flag) => line(`  ⚑ ${flag}`, "yellow", 4));
}

/** In a box of its own: a text in it cannot look like a row of the card. */
function drawSays({ says }: Card, columns: number): readonly Line[] {
  if (says.length === 0) return [];
  const inner = columns - 6;
  const label = "─ the agent says ";
  const rows = says.flatMap((text) => wrapLine(line(text, undefined, 0), inner));
  return [
    emptyLine,
    line(`  ┌${padTo(label, 0)}${"─".repeat(Math.max(0, columns - 4 - label.length))}┐`, "dim"),
    ...rows.map(({ spans }): Line => {
      const text = spans.map((span) => span.text).join("");
      return {
        spans: [
          { text: "  │ ", paint: "dim" },
          { text: padTo(text, inner) },
          { text: "│", paint: "dim" },
        ],
        indent: 0,
      };
    }),
    line(`  └${"─".repeat(columns - 4)}┘`, "dim"),
  ];
}

export function formatClock(seconds: number): string {
  const left = Math.max(0, Math.floor(seconds));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}
