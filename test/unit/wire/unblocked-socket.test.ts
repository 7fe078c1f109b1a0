import { once } from "node:events";
import http2 from "node:http2";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { buffer } from "node:stream/consumers";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { withDeadline } from "../../../src/base/deadline.ts";
import { connectUnblocked } from "../../../src/wire/unblocked-socket.ts";
import { WireClient } from "../../../src/wire/wire-client.ts";
import { makeTempDir } from "../../support/make-tree.ts";

const windowBytes = 1024 * 1024;

/** Gives back what it is sent, as it comes, with the windows of a supervisor. */
async function startEcho(path: string): Promise<http2.Http2Server> {
  const server = http2.createServer({
    settings: { initialWindowSize: windowBytes, maxFrameSize: windowBytes },
  });
  server.on("session", (session) => session.setLocalWindowSize(16 * windowBytes));
  server.on("stream", (stream) => {
    stream.on("error", () => undefined);
    stream.respond({ ":status": 200 });
    stream.pipe(stream);
  });
  server.listen(path);
  await once(server, "listening");
  return server;
}

// its users are supervisors, which there are none of on Windows
describe.skipIf(process.platform === "win32")("a socket that never blocks", () => {
  it("carries much both ways at once, to another end that is one of Node", async () => {
    using temp = makeTempDir();
    const path = join(temp.path, "echo.sock");
    const server = await startEcho(path);
    const client = WireClient.open(() => connectUnblocked(path));
    const sent = Buffer.alloc(8 * windowBytes, "0123456789abcdef");
    const parts = Array.from({ length: 128 }, (_, at) =>
      sent.subarray(at * 65536, (at + 1) * 65536),
    );
    for (let round = 0; round < 4; round += 1) {
      const stream = client.request({ ":method": "POST", ":path": "/" });
      const echoed = Promise.all([buffer(stream), pipeline(Readable.from(parts), stream)]);
      const what = "the echo";
      const [got] = await withDeadline(echoed, { timeoutMs: 10_000, what });
      expect(got.equals(sent)).toBe(true);
    }
    client.close();
    server.close();
  });

  it("to where nobody listens is a connection that failed", async () => {
    using temp = makeTempDir();
    const place = () => connectUnblocked(join(temp.path, "nobody.sock"));
    await expect(WireClient.connect(place, { timeoutMs: 50 })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
  });

  it("ends with the other end", async () => {
    using temp = makeTempDir();
    const path = join(temp.path, "echo.sock");
    const server = await startEcho(path);
    server.once("session", (session: http2.ServerHttp2Session) => session.destroy());
    const client = WireClient.open(() => connectUnblocked(path));
    await expect(client.info({ timeoutMs: 5_000 })).rejects.toMatchObject({ code: "WIRE_BROKEN" });
    server.close();
  });
});
