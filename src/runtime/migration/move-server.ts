/** A supervisor's socket for moves: one request a connection. */
import { once } from "node:events";
import { chmod, rm } from "node:fs/promises";
import net from "node:net";
import { dirname } from "node:path";
import { makePrivateFolder } from "../../base/private-folder.ts";
import { FrameLink } from "../../vm/migration/frame-link.ts";
import { toPlainError } from "../kept/supervisor-protocol.ts";
import { requestSchema } from "./move-words.ts";
import type { MoveRequest } from "./move-words.ts";

/** Answers on the link; what it raises is sent as the answer. */
export type MoveHandler = (request: MoveRequest, link: FrameLink) => Promise<void>;

export interface MoveServer {
  readonly close: () => Promise<void>;
}

const requestTimeoutMs = 10_000;

export async function serveMoves(path: string, handle: MoveHandler): Promise<MoveServer> {
  const links = new Set<FrameLink>();
  const server = net.createServer((socket) => {
    const link = new FrameLink(socket);
    links.add(link);
    void answer(link, handle).finally(() => links.delete(link));
  });
  await makePrivateFolder(dirname(path));
  await rm(path, { force: true }); // the claim of the run says that nobody listens on it
  server.listen(path);
  await once(server, "listening");
  await chmod(path, 0o600);
  return {
    close: async () => {
      server.close();
      await Promise.all([...links].map((link) => link.end()));
      await rm(path, { force: true });
    },
  };
}

async function answer(link: FrameLink, handle: MoveHandler): Promise<void> {
  try {
    const what = "request about a move";
    await handle(await link.receive(requestSchema, { timeoutMs: requestTimeoutMs, what }), link);
  } catch (error) {
    await link.send({ kind: "failed", ...toPlainError(error) }).catch(() => undefined);
  }
  await link.end();
}
