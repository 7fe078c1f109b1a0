/** The relay between a machine's wire and Firecracker's vsock, whose other end is a plain server here. */
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { relayVsock } from "../../../src/vm/backends/firecracker/vsock-relay.ts";
import type { VsockRelay } from "../../../src/vm/backends/firecracker/vsock-relay.ts";
import { makeTempDir } from "../../support/make-tree.ts";

describe("a connection over the relay", () => {
  let temp: ReturnType<typeof makeTempDir>;
  let vsock: net.Server;
  let relay: VsockRelay;
  let wirePath: string;
  let joined: number;

  beforeEach(async () => {
    temp = makeTempDir();
    joined = 0;
    const vsockPath = join(temp.path, "v.sock");
    wirePath = join(temp.path, "wire.sock");
    // takes the word, and says back whatever comes after it
    vsock = net.createServer((socket) => {
      socket.once("data", () => {
        joined += 1;
        socket.write("OK 1\n");
        socket.pipe(socket);
      });
    });
    vsock.listen(vsockPath);
    await once(vsock, "listening");
    relay = await relayVsock({ wirePath, vsockPath, guestPort: 1024 });
  });
  afterEach(() => {
    relay.close();
    vsock.close();
    temp[Symbol.dispose]();
  });

  async function say(socket: net.Socket, word: string): Promise<string> {
    socket.write(word);
    const [answer] = (await once(socket, "data")) as [Buffer];
    return answer.toString();
  }

  it("ends when it was there before vsock is reset, and waits when it is made meanwhile", async () => {
    const before = net.connect(wirePath);
    expect(await say(before, "one")).toBe("one");
    relay.hold();
    const meanwhile = net.connect(wirePath);
    await once(meanwhile, "connect");
    const answer = say(meanwhile, "two");
    expect(await say(before, "still there")).toBe("still there");
    expect(joined).toBe(1);
    const ended = once(before, "close");
    relay.renew();
    await ended;
    expect(await answer).toBe("two");
    expect(joined).toBe(2);
    const later = net.connect(wirePath);
    expect(await say(later, "three")).toBe("three");
    for (const socket of [meanwhile, later]) socket.destroy();
  });
});
