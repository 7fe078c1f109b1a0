/**
 * An audit as lines of JSON: the records as they were hashed, each followed by its hash, and the
 * checkpoints. With the public key in the first record it can be verified by somebody who has no more.
 *
 *   {"hash":"…","record":{"at":"…","facts":{…},"kind":"genesis","seq":0,"subject":null}}
 *   {"checkpoint":{"hash":"…","key":"…","seq":0},"signature":"…"}
 */
import canonicalize from "canonicalize";
import * as v from "valibot";
import { broken } from "./broken.ts";
import { recordText } from "./chain.ts";
import type { ChainItem } from "./verify-audit.ts";

/** longest line that is read, in `bytes`: an envelope's facts are shorter */
const lineBytesMax = 16 * 1024 ** 2;

const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const seq = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const lineSchema = v.union([
  v.strictObject({
    hash,
    record: v.strictObject({
      at: v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)),
      facts: v.record(v.string(), v.unknown()),
      kind: v.string(),
      seq,
      subject: v.nullable(v.string()),
    }),
  }),
  v.strictObject({
    checkpoint: v.strictObject({ hash, key: v.string(), seq }),
    signature: v.pipe(v.string(), v.maxLength(256)),
  }),
]);

export function renderLine(item: ChainItem): string {
  const hex = Buffer.from(item.row.hash).toString("hex");
  if (item.kind === "record") return `{"hash":"${hex}","record":${recordText(item.row)}}\n`;
  const { key, seq: number, signature } = item.row;
  const checkpoint = { hash: hex, key, seq: number };
  return `${JSON.stringify({ checkpoint, signature: Buffer.from(signature).toString("base64") })}\n`;
}

/** The lines' records and checkpoints. Raises AUDIT_BROKEN for what is no line of an export. */
export async function* parseExport(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<ChainItem, void, undefined> {
  let number = 0;
  let next = 0;
  for await (const line of splitLines(bytes)) {
    number += 1;
    if (line === undefined) throw broken(next, `line ${number} is too long to be one of an audit`);
    const item = parseLine(line);
    if (item === undefined) throw broken(next, `line ${number} is none of an audit`);
    if (item.kind === "record") next = item.row.seq + 1;
    yield item;
  }
}

function parseLine(text: string): ChainItem | undefined {
  const result = v.safeParse(lineSchema, parseJson(text));
  if (!result.success) return undefined;
  const line = result.output;
  if ("checkpoint" in line) {
    const { checkpoint, signature } = line;
    const row = {
      ...checkpoint,
      hash: Buffer.from(checkpoint.hash, "hex"),
      signature: Buffer.from(signature, "base64"),
    };
    return { kind: "checkpoint", row };
  }
  const { record } = line;
  const at = Date.parse(record.at);
  const facts = canonicalize(record.facts);
  if (Number.isNaN(at) || facts === undefined) return undefined;
  return { kind: "record", row: { ...record, at, facts, hash: Buffer.from(line.hash, "hex") } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // what is no JSON is no line either
  }
}

/** `undefined` for a line that is longer than the bound; the rest is not read. */
async function* splitLines(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<string | undefined, void, undefined> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let rest = "";
  for await (const chunk of bytes) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
    if (rest.length <= lineBytesMax) continue;
    yield undefined;
    return;
  }
  if (rest !== "") yield rest;
}
