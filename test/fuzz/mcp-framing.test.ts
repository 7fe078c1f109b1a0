/**
 * Fuzzes what reads an MCP server's bytes: any chunking of any bytes gives the same messages, garbage
 * never throws, and what breaks a bound ends with MCP_PROTOCOL and nothing else.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLuminaGuardError } from "../../src/errors.ts";
import { frameMessage, MessageReader } from "../../src/mcp/client/line-framing.ts";
import type { JSONRPCMessage } from "@modelcontextprotocol/client";

const messageBytesMax = 4096;
const runs = { numRuns: Number(process.env["FUZZ_RUNS"] ?? 2_000) };

interface Heard {
  readonly messages: unknown[];
  readonly garbage: string[];
  /** the bound that was broken */
  readonly end: string | undefined;
}

function read(chunks: readonly Buffer[]): Heard {
  const messages: unknown[] = [];
  const garbage: string[] = [];
  const reader = new MessageReader({
    messageBytesMax,
    onMessage: (message) => messages.push(message),
    onGarbage: (error) => garbage.push(error.message),
  });
  try {
    for (const chunk of chunks) reader.push(chunk);
  } catch (error) {
    if (!isLuminaGuardError(error, "MCP_PROTOCOL")) throw error;
    return { messages, garbage, end: error.message };
  }
  return { messages, garbage, end: undefined };
}

/** The bytes in pieces, down to one byte a piece. */
function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((each) => each % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...at, bytes.length].map((to, index) => bytes.subarray(at[index - 1] ?? 0, to));
}

const id = fc.oneof(fc.integer(), fc.string());
const params = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 });
const message: fc.Arbitrary<JSONRPCMessage> = fc.oneof(
  fc.record({ jsonrpc: fc.constant("2.0" as const), id, method: fc.string(), params }),
  fc.record({ jsonrpc: fc.constant("2.0" as const), method: fc.string(), params }),
  fc.record({ jsonrpc: fc.constant("2.0" as const), id, result: params }),
);
const noise = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom("\0", "\r", "\ufeff{}", "{", '{"jsonrpc":"2.0","id":1}', "[[[", '"', "\\")
    .map((text) => Buffer.from(text)),
  fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
  fc.nat(3_000).map((depth) => Buffer.from("[".repeat(depth))),
  fc.nat(9_000).map((length) => Buffer.alloc(length, "z")),
);
const line = fc.oneof(
  message.map((each) => Buffer.from(frameMessage(each))),
  noise.map((each) => Buffer.concat([each, Buffer.from("\n")])),
);
const cuts = fc.array(fc.nat(), { maxLength: 30 });

describe("whatever a server sends", () => {
  it("gives the same messages however it is cut", () => {
    const streams = fc.array(line, { maxLength: 12 });
    fc.assert(
      fc.property(streams, cuts, (lines, at) => {
        const bytes = Buffer.concat(lines);
        const whole = read([bytes]);
        expect(read(cut(bytes, at))).toEqual(whole);
        expect(read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
      }),
      { ...runs, numRuns: runs.numRuns / 4 },
    );
  });

  it("gives every message that stands on a line of its own, whatever stands between", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), noise, cuts, (messages, between, at) => {
        const small = between.subarray(0, 500);
        const clean = Buffer.from(small.filter((byte) => byte !== 0x0a));
        const isMessage = read([clean, Buffer.from("\n")]).messages.length > 0;
        fc.pre(!isMessage);
        const lines = messages.flatMap((each) => [
          `${clean.toString("latin1")}\n`,
          frameMessage(each),
        ]);
        fc.pre(lines.every((each) => Buffer.byteLength(each) <= messageBytesMax));
        const heard = read(cut(Buffer.from(lines.join("")), at));
        const sent: unknown = JSON.parse(JSON.stringify(messages));
        expect(heard).toMatchObject({ messages: sent, end: undefined });
      }),
      runs,
    );
  });

  it("shows nothing of itself that a terminal would obey", () => {
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 6 }), (parts) => {
        const { garbage, end = "" } = read([Buffer.concat(parts), Buffer.from("\n")]);
        for (const words of [...garbage, end]) {
          expect(words).not.toMatch(/\p{C}/u);
          expect(words.length).toBeLessThan(1_500);
        }
      }),
      runs,
    );
  });
});
