/**
 * Two texts compared line by line, within bounds of work and not of time, so that the answer never
 * depends on how busy the computer is. The shortest difference where it is short; else lines that each
 * side has once are matched first (patience diff), and what lies between them is compared the same way.
 */
import { diffArrays } from "diff";
import { longestRise } from "./longest-rise.ts";

export interface LineDiffLimits {
  /** largest text on either side in `bytes` */
  readonly textBytesMax: number;
  /** most differing lines */
  readonly linesMax: number;
}

export const lineDiffLimits: LineDiffLimits = { textBytesMax: 1024 * 1024, linesMax: 20_000 };

export interface DiffLine {
  readonly kind: "context" | "added" | "removed";
  /** without its line end */
  readonly text: string;
  /** the file ends here, without a line end */
  readonly hasNoNewline: boolean;
}

export interface DiffHunk {
  /** first line, from 1; 0 where there are none */
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  readonly lines: readonly DiffLine[];
}

/** lines around a difference */
const contextLines = 3;
/** longest edit that is searched for; the search grows with its square */
const editLengthMax = 100;
/** most times that what lies between matched lines is matched again */
const depthMax = 8;

/** The hunks, or undefined when the texts are too large or too different. */
export function diffLines(
  before: string,
  after: string,
  limits: LineDiffLimits = lineDiffLimits,
): readonly DiffHunk[] | undefined {
  if (Math.max(before.length, after.length) > limits.textBytesMax) return undefined;
  const [old, young] = [splitLines(before), splitLines(after)];
  const numbers = new Map<string, number>();
  const numberOf = (line: string): number => {
    const known = numbers.get(line) ?? numbers.size;
    numbers.set(line, known);
    return known;
  };
  const pairs: Pair[] = [];
  const [a, b] = [old.map(numberOf), young.map(numberOf)];
  matchLines({ a, b, pairs }, [0, a.length, 0, b.length], 0);
  const changed = a.length + b.length - 2 * pairs.length;
  return changed > limits.linesMax ? undefined : createHunks(old, young, pairs);
}

export function countLines(hunks: readonly DiffHunk[]): { added: number; removed: number } {
  let added = 0;
  let removed = 0;
  for (const { kind } of hunks.flatMap(({ lines }) => lines)) {
    if (kind === "added") added += 1;
    if (kind === "removed") removed += 1;
  }
  return { added, removed };
}

/** Each with its line end, so that a line without one is another line. */
export function splitLines(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** A line of the old text that is one of the new. */
type Pair = readonly [old: number, young: number];
type Range = readonly [oldFrom: number, oldTo: number, youngFrom: number, youngTo: number];

interface Matching {
  readonly a: readonly number[];
  readonly b: readonly number[];
  /** found so far, rising on both sides */
  readonly pairs: Pair[];
}

function matchLines(matching: Matching, range: Range, depth: number): void {
  const { a, b, pairs } = matching;
  let [oldFrom, oldTo, youngFrom, youngTo] = range;
  while (oldFrom < oldTo && youngFrom < youngTo && a[oldFrom] === b[youngFrom]) {
    pairs.push([oldFrom++, youngFrom++]);
  }
  let equalAtEnd = 0;
  while (oldFrom < oldTo && youngFrom < youngTo && a[oldTo - 1] === b[youngTo - 1]) {
    oldTo--;
    youngTo--;
    equalAtEnd++;
  }
  if (oldFrom < oldTo && youngFrom < youngTo) {
    matchBetween(matching, [oldFrom, oldTo, youngFrom, youngTo], depth);
  }
  for (let at = 0; at < equalAtEnd; at++) pairs.push([oldTo + at, youngTo + at]);
}

function matchBetween(matching: Matching, range: Range, depth: number): void {
  const { a, b, pairs } = matching;
  const [oldFrom, oldTo, youngFrom, youngTo] = range;
  const shortest = diffArrays(a.slice(oldFrom, oldTo), b.slice(youngFrom, youngTo), {
    maxEditLength: editLengthMax,
  });
  if (shortest !== undefined) {
    let [old, young] = [oldFrom, youngFrom];
    for (const { added, removed, count } of shortest) {
      if (!added && !removed) {
        for (let at = 0; at < count; at++) pairs.push([old + at, young + at]);
      }
      if (!added) old += count;
      if (!removed) young += count;
    }
    return;
  }
  const anchors = depth < depthMax ? findAnchors(matching, range) : [];
  let [old, young] = [oldFrom, youngFrom];
  for (const [nextOld, nextYoung] of anchors) {
    matchLines(matching, [old, nextOld, young, nextYoung], depth + 1);
    pairs.push([nextOld, nextYoung]);
    [old, young] = [nextOld + 1, nextYoung + 1];
  }
  // without an anchor all of it differs
  if (anchors.length > 0) matchLines(matching, [old, oldTo, young, youngTo], depth + 1);
}

/** Lines that stand once on each side, as many as keep their order. */
function findAnchors({ a, b }: Matching, range: Range): readonly Pair[] {
  const [oldFrom, oldTo, youngFrom, youngTo] = range;
  const oldPlaces = findPlacesOfUnique(a, oldFrom, oldTo);
  const youngPlaces = findPlacesOfUnique(b, youngFrom, youngTo);
  const common: Pair[] = [];
  for (const [line, old] of oldPlaces) {
    const young = youngPlaces.get(line);
    if (young !== undefined) common.push([old, young]);
  }
  common.sort(([one], [other]) => one - other);
  return longestRise(common, ([, young]) => young);
}

function findPlacesOfUnique(
  lines: readonly number[],
  from: number,
  to: number,
): ReadonlyMap<number, number> {
  const places = new Map<number, number>();
  const repeated = new Set<number>();
  for (let at = from; at < to; at++) {
    const line = lines[at] ?? -1;
    if (places.has(line)) repeated.add(line);
    places.set(line, at);
  }
  for (const line of repeated) places.delete(line);
  return places;
}

/** The stretches that differ, each with its context; those whose contexts meet are one. */
function createHunks(
  old: readonly string[],
  young: readonly string[],
  pairs: readonly Pair[],
): readonly DiffHunk[] {
  const gaps: Range[] = [];
  let [oldAt, youngAt] = [0, 0];
  for (const [nextOld, nextYoung] of [...pairs, [old.length, young.length] as const]) {
    if (nextOld > oldAt || nextYoung > youngAt) gaps.push([oldAt, nextOld, youngAt, nextYoung]);
    [oldAt, youngAt] = [nextOld + 1, nextYoung + 1];
  }
  const groups: Range[][] = [];
  for (const gap of gaps) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group !== undefined && last !== undefined && gap[0] - last[1] <= 2 * contextLines) {
      group.push(gap);
    } else groups.push([gap]);
  }
  return groups.map((group) => createHunk(old, young, group));
}

function createHunk(
  old: readonly string[],
  young: readonly string[],
  gaps: readonly Range[],
): DiffHunk {
  const [[firstOld, , firstYoung] = [0, 0, 0, 0]] = gaps;
  const lastOld = gaps.at(-1)?.[1] ?? 0;
  const from = Math.max(0, firstOld - contextLines);
  const to = Math.min(old.length, lastOld + contextLines);
  const lines: DiffLine[] = [];
  const push = (kind: DiffLine["kind"], part: readonly string[]): void => {
    for (const line of part) lines.push(createLine(kind, line));
  };
  let at = from;
  for (const [oldFrom, oldTo, youngFrom, youngTo] of gaps) {
    push("context", old.slice(at, oldFrom));
    push("removed", old.slice(oldFrom, oldTo));
    push("added", young.slice(youngFrom, youngTo));
    at = oldTo;
  }
  push("context", old.slice(at, to));
  const oldLines = lines.filter(({ kind }) => kind !== "added").length;
  const newLines = lines.filter(({ kind }) => kind !== "removed").length;
  const newFrom = firstYoung - (firstOld - from);
  return {
    oldStart: oldLines === 0 ? 0 : from + 1,
    oldLines,
    newStart: newLines === 0 ? 0 : newFrom + 1,
    newLines,
    lines,
  };
}

function createLine(kind: DiffLine["kind"], line: string): DiffLine {
  const hasNoNewline = !line.endsWith("\n");
  return { kind, text: hasNoNewline ? line : line.slice(0, -1), hasNoNewline };
}
