/**
 * Fuzzes what reads a Firecracker whose machine broke out of it: its API's answers and its word on vsock.
 * Mutated, they are an answer, a refusal or a failure, and never an exception out of a stream.
 */
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LuminaGuardError } from "../../src/errors.ts";
import { FirecrackerApi } from "../../src/vm/backends/firecracker/api-client.ts";
import { relayVsock } from "../../src/vm/backends/firecracker/vsock-relay.ts";
import { makeTempDir } from "../support/make-tree.ts";
import { createRandom, cutAtRandom, mutateBytes } from "../support/seeded-random.ts";

const durationMs = Number(process.env["FUZZ_MS"] ?? 1500);
const firstSeed = Number(process.env["FUZZ_SEED"] ?? 1);
const interesting = [...Buffer.from('{}[]",:0129 \r\n\0\x7f'), 0xff, 0xc2];
const fault = '{"fault_message":"no"}';
const answers = [
  "HTTP/1.1 204 No Content\r\nServer: Firecracker API\r\n\r\n",
  `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${fault.length}\r\n\r\n${fault}`,
  'HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n{"firecracker_version":"1.16.1"}',
].map((text) => Buffer.from(text));

async function listen(path: string, answer: (socket: net.Socket) => void): Promise<net.Server> {
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    answer(socket);
  });
  server.listen(path);
  await once(server, "listening");
  return server;
}

test("any mutated answer of the API is an answer, a refusal or a failure", async () => {
  using temp = makeTempDir();
  const path = join(temp.path, "api.sock");
  let said: Buffer[] = [];
  const server = await listen(path, (socket) => {
    socket.once("data", () => {
      for (const chunk of said) socket.write(chunk);
      socket.end();
    });
  });
  const outcomes = { answers: 0, failures: 0 };
  const end = performance.now() + durationMs;
  for (let seed = firstSeed; performance.now() < end || seed < firstSeed + 200; seed++) {
    const random = createRandom(seed);
    const spoilt = mutateBytes(
      answers[random(answers.length)] ?? Buffer.alloc(0),
      random,
      interesting,
    );
    said = cutAtRandom(spoilt, random, 40);
    const call = { method: "PATCH", path: "/vm", body: { state: "Paused" } } as const;
    const outcome = await new FirecrackerApi(path).tell([call], { timeoutMs: 2_000 }).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (outcome === undefined) outcomes.answers += 1;
    else if (outcome instanceof LuminaGuardError) outcomes.failures += 1;
    else throw new Error(`seed ${seed}`, { cause: outcome });
  }
  server.close();
  expect(outcomes.answers).toBeGreaterThan(0);
  expect(outcomes.failures).toBeGreaterThan(0);
});

test("any mutated word on vsock is a connection or none, and what follows it passes unchanged", async () => {
  using temp = makeTempDir();
  const [wirePath, vsockPath] = [join(temp.path, "wire.sock"), join(temp.path, "v.sock")];
  const guestPort = 1024;
  const asked: string[] = [];
  let words: Buffer[] = [];
  const server = await listen(vsockPath, (socket) => {
    socket.once("data", (chunk) => {
      asked.push(chunk.toString("latin1"));
      const word = words.shift();
      if (word === undefined) socket.end("OK 5\nhello");
      else socket.end(word);
    });
  });
  const relay = await relayVsock({ wirePath, vsockPath, guestPort });
  const end = performance.now() + durationMs;
  for (let seed = firstSeed; performance.now() < end || seed < firstSeed + 50; seed++) {
    const random = createRandom(seed);
    // what is no word at all is asked again, until the right one
    words = [
      mutateBytes(
        Buffer.from("NO\n"),
        random,
        interesting.filter((byte) => byte !== 0x4f),
      ),
    ];
    const client = net.connect(wirePath);
    const heard: Buffer[] = [];
    client.on("data", (chunk) => heard.push(chunk));
    await once(client, "close");
    expect(Buffer.concat(heard).toString(), `seed ${seed}`).toBe("hello");
  }
  relay.close();
  server.close();
  expect(new Set(asked)).toEqual(new Set(["CONNECT 1024\n"]));
});
