import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startFakeGuest } from "../../../src/wire/fake-guest.ts";
import { WireClient } from "../../../src/wire/wire-client.ts";
import { makeTempDir } from "../../support/make-tree.ts";
import { wirePathIn } from "../../support/wire-path.ts";

/** Accepts connections and does this with each, told which one it is. */
async function listen(
  path: string,
  onConnection: (socket: net.Socket, number: number) => void,
): Promise<{ readonly count: () => number } & AsyncDisposable> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onConnection(socket, sockets.size);
  });
  server.listen(path);
  await once(server, "listening");
  return {
    count: () => sockets.size,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("connecting to a guest", () => {
  it("goes on until there is one", async () => {
    using temp = makeTempDir();
    const path = wirePathIn(temp.path);
    const connecting = WireClient.connect(path, { timeoutMs: 20_000 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    const guest = await startFakeGuest(path);
    const client = await connecting;
    expect((await client.info()).protocol).toBe(1);
    client.close();
    await guest.close();
  });

  it("tries again when a connection ends before the guest spoke", async () => {
    using temp = makeTempDir();
    const path = wirePathIn(temp.path);
    const guest = await startFakeGuest(wirePathIn(temp.path, "guest"));
    await using server = await listen(path, (socket, number) => {
      if (number < 3) socket.destroy();
      else socket.pipe(net.connect(wirePathIn(temp.path, "guest"))).pipe(socket);
    });
    const client = await WireClient.connect(path, { timeoutMs: 20_000 });
    expect(server.count()).toBe(3);
    client.close();
    await guest.close();
  });

  it("does not take noise for a guest", async () => {
    using temp = makeTempDir();
    const path = wirePathIn(temp.path);
    await using server = await listen(path, (socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\nlogin: ");
    });
    await expect(WireClient.connect(path, { timeoutMs: 120 })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
    expect(server.count()).toBeGreaterThan(1);
  });

  it("gives each try only its share of the time", async () => {
    using temp = makeTempDir();
    const path = wirePathIn(temp.path);
    await using server = await listen(path, () => undefined);
    const connecting = WireClient.connect(path, { timeoutMs: 120, tryTimeoutMs: 10 });
    await expect(connecting).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(server.count()).toBeGreaterThan(2);
  });

  it("ends with the caller's own reason when it is aborted", async () => {
    using temp = makeTempDir();
    const over = new AbortController();
    const reason = new Error("enough");
    const connecting = WireClient.connect(join(temp.path, "none"), { signal: over.signal });
    over.abort(reason);
    await expect(connecting).rejects.toBe(reason);
  });
});
