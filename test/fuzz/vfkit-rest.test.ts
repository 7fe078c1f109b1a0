/** What answers for vfkit may have been written by a guest that broke out: any bytes are an answer or an error. */
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isLuminaGuardError } from "../../src/errors.ts";
import { changeState, readState } from "../../src/vm/backends/vfkit/vfkit-rest.ts";
import { makeTempDir } from "../support/make-tree.ts";

const running = { state: "VirtualMachineStateRunning", canStop: true, canHardStop: true };
const answer = (body: string): Buffer => {
  return Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
};

/** An answer of vfkit's with a few bytes changed, or bytes of any kind. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 400 }).map((each) => Buffer.from(each)),
  fc.json().map(answer),
  fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { minLength: 1, maxLength: 6 }).map((changes) => {
    const whole = answer(JSON.stringify(running));
    for (const [at, byte] of changes) whole[at % whole.length] = byte;
    return whole;
  }),
);

test("any bytes in the place of vfkit's answer are a state or an error of ours", async () => {
  using temp = makeTempDir();
  const path = join(temp.path, "rest.sock");
  let next: Buffer = Buffer.alloc(0);
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(next);
  });
  server.listen(path);
  await once(server, "listening");
  const property = fc.asyncProperty(bytes, fc.boolean(), async (said, isRead) => {
    next = said;
    const options = { timeoutMs: 500 };
    const asked = isRead ? readState(path, options) : changeState(path, "Stop", options);
    const outcome = await asked.catch((error: unknown) => error);
    if (outcome === undefined || isLuminaGuardError(outcome)) return;
    expect(outcome).toMatchObject({
      state: expect.any(String) as unknown,
      canStop: expect.any(Boolean) as unknown,
    });
  });
  await fc.assert(property, { numRuns: 300 });
  server.close();
});
