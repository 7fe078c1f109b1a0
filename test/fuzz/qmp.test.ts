/**
 * Fuzzes what reads QEMU's control channel, which a machine that broke out of its emulator can write:
 * mutated lines must give an answer or a PROCESS_FAILED, and never an exception out of the stream.
 * FUZZ_MS sets how long, FUZZ_SEED where it starts; a failure prints its seed.
 */
import { expect, test } from "vitest";
import { isLuminaGuardError } from "../../src/errors.ts";
import { QmpClient } from "../../src/vm/backends/qemu/qmp.ts";
import { createDuplexPair } from "../support/duplex-pair.ts";
import { createRandom, cutAtRandom, mutateBytes } from "../support/seeded-random.ts";

const durationMs = Number(process.env["FUZZ_MS"] ?? 2000);
const firstSeed = Number(process.env["FUZZ_SEED"] ?? 1);
const interesting = [...Buffer.from('{}[]",:0129eE-.\\n\n\0\x7f'), 0xff, 0xc2];
/** What is answered to the first, second and third command. */
const answers = [
  '{"event": "RESUME", "timestamp": {"seconds": 1}}\n{"return": {}, "id": 1}\n',
  '{"return": {"status": "completed", "total-time": 12}, "id": 2}\n',
  '{"error": {"class": "GenericError", "desc": "no"}, "id": 3}\n{"event": "STOP"}\n',
].map((text) => Buffer.from(text));

test("any mutated answer is an answer or a failure", async () => {
  const outcomes = { answers: 0, failures: 0 };
  const end = performance.now() + durationMs;
  for (let seed = firstSeed; performance.now() < end || seed < firstSeed + 300; seed++) {
    const random = createRandom(seed);
    const [near, far] = createDuplexPair();
    const spoilt = random(answers.length);
    let asked = 0;
    far.on("data", () => {
      const answer = answers[asked] ?? Buffer.alloc(0);
      const said = asked === spoilt ? mutateBytes(answer, random, interesting) : answer;
      asked += 1;
      for (const chunk of cutAtRandom(said, random, 60)) far.write(chunk);
    });
    const client = new QmpClient(near);
    far.write('{"QMP": {}}\n');
    await client.ready(1000);
    const asking = Promise.allSettled(["query-migrate", "cont"].map((it) => client.execute(it)));
    await new Promise((resolve) => setImmediate(resolve));
    near.destroy(); // what was not answered by now never is
    for (const answer of await asking) {
      if (answer.status === "fulfilled") outcomes.answers += 1;
      else {
        const isExpected = isLuminaGuardError(answer.reason, "PROCESS_FAILED");
        if (!isExpected) throw new Error(`seed ${seed}`, { cause: answer.reason });
        outcomes.failures += 1;
      }
    }
  }
  // both ways are walked, else it fuzzes nothing
  expect(outcomes.answers).toBeGreaterThan(10);
  expect(outcomes.failures).toBeGreaterThan(10);
});
