/** What a guest's end of the wire may turn out to be: raw bytes, or HTTP/2 that lies. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import http2 from "node:http2";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface HostileServer extends AsyncDisposable {
  readonly socketPath: string;
}

/** A server that does with each connection whatever it is told. */
export async function startRawServer(serve: (socket: net.Socket) => void): Promise<HostileServer> {
  return listen(net.createServer(serve));
}

/** A server that speaks HTTP/2 and answers each request as it is told. */
export async function startHttp2Server(
  answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<HostileServer> {
  const server = http2.createServer();
  server.on("session", (session) => session.on("error", () => undefined));
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    answer(stream, headers);
  });
  return listen(server);
}

async function listen(server: net.Server | http2.Http2Server): Promise<HostileServer> {
  const folder = await mkdtemp(join(tmpdir(), "lg-"));
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  const socketPath = join(folder, "wire.sock");
  server.listen(socketPath);
  await once(server, "listening");
  return {
    socketPath,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** One HTTP/2 frame (RFC 9113, section 4.1). */
export function http2Frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const http2Types = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  continuation: 9,
} as const;

/** ":status: 200", from HPACK's static table */
export const status200: Buffer = Buffer.of(0x88);
