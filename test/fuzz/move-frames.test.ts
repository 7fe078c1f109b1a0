/** What another host sends about a machine: any bytes are frames, or an error with a code, in bounded memory. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import fc from "fast-check";
import { expect, it } from "vitest";
import { isLuminaGuardError, LuminaGuardError } from "../../src/errors.ts";
import { readFirstMessage } from "../../src/runtime/migration/first-message.ts";
import { encodeBytesHead, encodeMessage, FrameReader } from "../../src/vm/migration/frames.ts";
import type { Frame } from "../../src/vm/migration/frames.ts";
import { receiveFiles } from "../../src/vm/migration/machine-files.ts";
import { finishMoveFile, inspectMoveFile } from "../../src/vm/migration/move-file.ts";
import { receiverSchema, senderSchema } from "../../src/vm/migration/messages.ts";

const runs = { numRuns: 3_000 };

/** The bytes cut into pieces where the numbers say. */
function cutUp(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...pieces, bytes.subarray(at)];
}

it("any bytes are frames or an error with a code", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4_096 }), fc.array(fc.nat(64)), (bytes, sizes) => {
      const reader = new FrameReader(1_024);
      try {
        for (const piece of cutUp(Buffer.from(bytes), sizes)) reader.push(piece);
      } catch (error) {
        if (!isLuminaGuardError(error)) throw error;
        expect(["WIRE_BROKEN", "WIRE_LIMIT"]).toContain(error.code);
      }
    }),
    runs,
  );
});

it("what was sent comes as it was, however it is cut", () => {
  const part = fc.oneof(
    fc.record({ message: fc.jsonValue() }),
    fc.record({ bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.array(fc.nat(40)), (parts, sizes) => {
      const sent = parts.map((each) =>
        "message" in each
          ? encodeMessage(each.message)
          : Buffer.concat([encodeBytesHead(each.bytes.length), each.bytes]),
      );
      const reader = new FrameReader();
      const frames = cutUp(Buffer.concat(sent), sizes).flatMap((piece) => reader.push(piece));
      expect(reader.isBetweenFrames).toBe(true);
      const text = (frame: Frame): string =>
        frame.kind === "message" ? JSON.stringify(frame.message) : "";
      expect(frames.map(text).join("")).toBe(
        parts.map((each) => ("message" in each ? JSON.stringify(each.message) : "")).join(""),
      );
      const bytes = frames.flatMap((frame) => (frame.kind === "bytes" ? [frame.bytes] : []));
      const whole = parts.flatMap((each) => ("bytes" in each ? [each.bytes] : []));
      expect(Buffer.concat(bytes).equals(Buffer.concat(whole))).toBe(true);
    }),
    runs,
  );
});

it("a length that is too long is refused before its bytes come", () => {
  const head = encodeMessage("x".repeat(2_000)).subarray(0, 5);
  expect(() => new FrameReader(1_024).push(head)).toThrow("2002 bytes at once");
});

it("a first word is one of the protocol's, alone, or an error with a code", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 512 }).map((bytes) => Buffer.from(bytes)),
        fc.jsonValue().map(encodeMessage),
      ),
      async (bytes) => {
        const channel = new PassThrough();
        const said = readFirstMessage(channel, senderSchema);
        channel.write(bytes);
        channel.destroy();
        await expect(said).rejects.toSatisfy((error) => isLuminaGuardError(error));
      },
    ),
    { numRuns: 500 },
  );
});

it("no message is read as one of the other side's", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (message) => {
      for (const schema of [senderSchema, receiverSchema]) {
        const result = schema["~standard"].validate(message);
        if (result instanceof Promise) throw new Error("it is not asynchronous");
        expect(result.issues).toBeDefined();
      }
    }),
    runs,
  );
});

it("any frames are files within bounds, in their folder, or an error with a code", async () => {
  const name = fc.constantFrom("ram", "state", "../out", "a/b", ".hidden", "");
  const frame: fc.Arbitrary<Frame> = fc
    .oneof(
      fc.record({ kind: fc.constant("file"), name, bytes: fc.integer({ min: -1, max: 64 }) }),
      fc.record({ kind: fc.constant("file"), name, bytes: fc.constant(2 ** 40) }),
      fc.record({ kind: fc.constant("zeroes"), bytes: fc.constantFrom(0, 1, 64, 2 ** 40, -1) }),
      fc.constant({ kind: "file end", sha256: "0".repeat(64) }),
      fc.constant({ kind: "end", bytes: 0 }),
      fc.jsonValue(),
    )
    .map((message): Frame => ({ kind: "message", message }));
  const bytes = fc
    .uint8Array({ maxLength: 64 })
    .map((each): Frame => ({ kind: "bytes", bytes: Buffer.from(each) }));
  const folder = await mkdtemp(join(tmpdir(), "lg-"));
  let count = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(frame, bytes), { maxLength: 12 }), async (frames) => {
        const into = join(folder, String((count += 1)));
        await mkdir(into);
        const left = [...frames];
        const next = (): Promise<Frame> => {
          const first = left.shift();
          if (first === undefined) throw new LuminaGuardError("WIRE_BROKEN", "cut");
          return Promise.resolve(first);
        };
        try {
          const end = await receiveFiles(async () => next(), into, 1);
          expect(end.bytes).toBeLessThanOrEqual(129 * 1024 ** 2);
        } catch (error) {
          if (!isLuminaGuardError(error)) throw error;
          expect(["WIRE_BROKEN", "WIRE_LIMIT", "HOST_LIMIT"]).toContain(error.code);
        }
        for (const each of await readdir(into)) {
          expect(["ram", "state"]).toContain(each);
          expect((await stat(join(into, each))).size).toBeLessThanOrEqual(64);
        }
      }),
      { numRuns: 1_000 },
    );
    expect((await readdir(folder)).sort((one, other) => Number(one) - Number(other))).toEqual(
      Array.from({ length: count }, (_each, at) => String(at + 1)),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it("any bytes in a file are no machine, or an error with a code", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lg-"));
  const path = join(folder, "file");
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 512 }).map((bytes) => Buffer.from(bytes)),
          fc
            .array(fc.jsonValue().map(encodeMessage), { maxLength: 4 })
            .map((all) => Buffer.concat(all)),
        ),
        async (bytes) => {
          await writeFile(path, bytes);
          for (const look of [inspectMoveFile(path), finishMoveFile(path, "1".repeat(32), "t")]) {
            await expect(look).rejects.toMatchObject({ code: "SNAPSHOT_INVALID" });
          }
          expect((await readFile(path)).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
