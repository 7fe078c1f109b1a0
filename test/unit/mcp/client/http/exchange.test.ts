import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent } from "undici";
import type { Dispatcher } from "undici";
import { expect, it } from "vitest";
import type { Clock } from "../../../../../src/base/clock.ts";
import { createLeanFetch } from "../../../../../src/mcp/client/http/lean-fetch.ts";

const totalBytes = 64 * 1024 * 1024;

/** Counts how often it was looked at, and can be jumped. */
class JumpedClock {
  looks = 0;
  #jumpedMs = 0;

  readonly now = (): number => {
    this.looks += 1;
    return performance.now() + this.#jumpedMs;
  };

  jump(ms: number): void {
    this.#jumpedMs += ms;
  }
}

/** Counts how often an answer was made to wait. */
class WatchedAgent extends Agent {
  pauses = 0;

  override dispatch(options: Agent.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return super.dispatch(options, {
      onRequestStart: (controller, context) => {
        const pause = controller.pause.bind(controller);
        controller.pause = () => {
          this.pauses += 1;
          pause();
        };
        handler.onRequestStart?.(controller, context);
      },
      onResponseStart: (...args) => handler.onResponseStart?.(...args),
      onResponseData: (...args) => handler.onResponseData?.(...args),
      onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
      onResponseError: (...args) => handler.onResponseError?.(...args),
    });
  }
}

/** Sends a long stream as fast as it is taken. */
async function startTalker(clock: Clock) {
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
  const dispatcher = new WatchedAgent();
  const limits = { firstByteMs: 200, idleMs: 200, answerBytesMax: 1000 };
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`,
    fetch: createLeanFetch({ dispatcher, limits, clock }),
    sent: () => sent,
    pauses: () => dispatcher.pauses,
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}

it("a stream waits for a reader who does not read, without blame, and loses nothing", async () => {
  const clock = new JumpedClock();
  await using talker = await startTalker(clock);
  const { body } = await talker.fetch(talker.url);
  await expect.poll(() => talker.pauses()).toBeGreaterThan(0);
  clock.jump(60_000); // longer than the silence that is allowed
  const before = clock.looks;
  // a look reads the clock up to three times, so that the watch has looked after the jump
  await expect.poll(() => clock.looks).toBeGreaterThan(before + 6);
  expect(talker.sent()).toBeLessThan(totalBytes / 2);
  let read = 0;
  for await (const chunk of body ?? []) read += chunk.length;
  expect(read).toBeGreaterThanOrEqual(totalBytes);
});
