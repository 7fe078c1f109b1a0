/**
 * Fuzzes what reads a command's output: mutated streams, in any chunking, must end as a result or as an
 * error with one of the wire's codes, and never hold more than one frame.
 * FUZZ_MS sets how long, FUZZ_SEED where it starts; a failure prints its seed.
 */
import { once } from "node:events";
import http2 from "node:http2";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isLuminaGuardError } from "../../src/errors.ts";
import { FrameDecoder, encodeFrame, frameTypes } from "../../src/wire/exec-frames.ts";
import { WireClient } from "../../src/wire/wire-client.ts";
import { makeTempDir } from "../support/make-tree.ts";
import { createRandom, cutAtRandom, mutateBytes } from "../support/seeded-random.ts";

const durationMs = Number(process.env["FUZZ_MS"] ?? 2000);
const firstSeed = Number(process.env["FUZZ_SEED"] ?? 1);
const interesting = [0, 1, 5, 0x10, 0x11, 0x12, 0x13, 0x14, 0x7b, 0x7d, 0x7f, 0x80, 0xff];
const expectedCodes = [
  ...(["WIRE_BROKEN", "WIRE_LIMIT", "GUEST_REFUSED"] as const),
  ...(["EXEC_NOT_FOUND", "EXEC_NOT_EXECUTABLE"] as const),
];

const text = (type: number, body: string): Buffer => encodeFrame(type, Buffer.from(body));
const seedStream = Buffer.concat([
  text(frameTypes.started, '{"pid": 42}'),
  text(frameTypes.stdout, "some output\n".repeat(8)),
  text(frameTypes.stderr, "and a complaint"),
  text(frameTypes.exit, '{"code": 0, "timedOut": false, "durationMs": 3}'),
]);
const failedStream = text(frameTypes.failed, '{"code": "not-found", "title": "no such command"}');

/** Half the time for each target, and at least 300 rounds on a busy host. */
function rounds(): (seed: number) => boolean {
  const end = performance.now() + durationMs / 2;
  return (seed) => performance.now() < end || seed < firstSeed + 300;
}

test("the decoder gives the same for any chunking of any bytes", () => {
  const goesOn = rounds();
  let frameCount = 0;
  for (let seed = firstSeed; goesOn(seed); seed++) {
    const random = createRandom(seed);
    const bytes = mutateBytes(seedStream, random, interesting);
    const whole = decode([bytes]);
    const cut = decode(cutAtRandom(bytes, random, 1 + random(40)));
    expect(cut, `seed ${seed}`).toEqual(whole);
    frameCount += whole.frames;
  }
  expect(frameCount).toBeGreaterThan(10);
});

interface Decoded {
  readonly frames: number;
  readonly bytes: string;
  readonly end: string;
}

function decode(chunks: readonly Buffer[]): Decoded {
  const decoder = new FrameDecoder();
  const frames: Buffer[] = [];
  let end = "whole";
  try {
    for (const chunk of chunks) {
      for (const { type, payload } of decoder.push(chunk)) frames.push(Buffer.of(type), payload);
    }
    decoder.end();
  } catch (error) {
    end = isLuminaGuardError(error) ? error.code : String(error);
  }
  // frames before a refused one in the same chunk are lost with the stream, which nobody may rely on
  const isRefused = end === "WIRE_LIMIT";
  return {
    frames: isRefused ? 0 : frames.length / 2,
    bytes: isRefused ? "" : Buffer.concat(frames).toString("hex"),
    end,
  };
}

/** Node's server ends a connection whose client resets too many streams in a short time. */
const resetsMax = 200;

test("a command's mutated output is a result or a refusal", async () => {
  using temp = makeTempDir();
  const socketPath = join(temp.path, "wire.sock");
  let answer: readonly Buffer[] = [];
  const server = http2.createServer();
  server.on("stream", (stream) => {
    stream.on("error", () => undefined); // the host resets what it refuses
    stream.respond({ ":status": 200 });
    for (const chunk of answer) stream.write(chunk);
    stream.end();
  });
  server.listen(socketPath);
  await once(server, "listening");
  let client = await WireClient.connect(socketPath);
  const outcomes = { results: 0, refusals: 0 };
  const goesOn = rounds();
  for (let seed = firstSeed; goesOn(seed); seed++) {
    if (seed % resetsMax === 0) {
      client.close();
      client = await WireClient.connect(socketPath);
    }
    const random = createRandom(seed);
    const from = random(4) === 0 ? failedStream : seedStream;
    answer = cutAtRandom(mutateBytes(from, random, interesting), random, 1 + random(200));
    const exec = client.exec({ argv: ["x"] });
    try {
      let bytes = 0;
      for await (const { data } of exec.output()) bytes += data.length;
      const { exitCode } = await exec.exit;
      expect(bytes, `seed ${seed}`).toBeLessThan(64 * 1024);
      expect(exitCode, `seed ${seed}`).toSatisfy((code: number) => code >= 0 && code <= 192 + 63);
      outcomes.results += 1;
    } catch (error) {
      const isExpected = expectedCodes.some((code) => isLuminaGuardError(error, code));
      if (!isExpected) throw new Error(`seed ${seed}`, { cause: error });
      outcomes.refusals += 1;
    }
  }
  client.close();
  await new Promise((resolve) => server.close(resolve));
  // both ways are walked, else it fuzzes nothing
  expect(outcomes.results).toBeGreaterThan(5);
  expect(outcomes.refusals).toBeGreaterThan(5);
});
