import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { expect, it } from "vitest";
import { hostClock } from "../../../../../src/base/clock.ts";
import { createLeanFetch } from "../../../../../src/mcp/client/http/lean-fetch.ts";

const totalBytes = 64 * 1024 * 1024;

/** Sends a long stream as fast as it is taken. */
async function startTalker() {
  const chunk = Buffer.alloc(65_536, ": said\n\n");
  let sent = 0;
  const server = createServer((_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    const talk = (): void => {
      let isTaken = true;
      while (isTaken && sent < totalBytes) {
        isTaken = res.write(chunk);
        sent += chunk.length;
      }
      if (sent >= totalBytes) res.end();
      else res.once("drain", talk);
    };
    talk();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const dispatcher = new Agent();
  const limits = { firstByteMs: 200, idleMs: 200, answerBytesMax: 1000 };
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`,
    fetch: createLeanFetch({ dispatcher, limits, clock: hostClock }),
    sent: () => sent,
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}

it("a stream waits for a reader who does not read, without blame, and loses nothing", async () => {
  await using talker = await startTalker();
  const { body } = await talker.fetch(talker.url);
  // longer than the silence that is allowed
  await sleep(500);
  expect(talker.sent()).toBeLessThan(totalBytes / 2);
  let read = 0;
  for await (const chunk of body ?? []) read += chunk.length;
  expect(read).toBeGreaterThanOrEqual(totalBytes);
});
