/**
 * A socket for an HTTP/2 session whose other end is one of Node too. Such a session reads nothing while a write
 * of its own waits for room in the socket (node_http2.cc, OnDataChunkReceived): two that send each other much
 * wait for each other for ever. Here a write waits in this process and never holds up the reading; how much may
 * wait are the other end's windows, as the session sends no more.
 */
import net from "node:net";
import { Duplex } from "node:stream";

export function connectUnblocked(path: string): Duplex {
  const socket = net.connect(path);
  const duplex = new Duplex({
    write: (chunk: Buffer, _encoding, done) => {
      socket.write(chunk);
      done();
    },
    final: (done) => void socket.end(done),
    read: () => void socket.resume(),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (chunk: Buffer) => {
    if (!duplex.push(chunk)) socket.pause();
  });
  socket.once("end", () => duplex.push(null));
  socket.on("error", (error) => duplex.destroy(error));
  socket.once("close", () => duplex.destroy());
  return duplex;
}
