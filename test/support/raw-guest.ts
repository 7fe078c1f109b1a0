/** A guest that answers exactly what a test tells it to, however wrong: the hostile end of the wire. */
import { once } from "node:events";
import http2 from "node:http2";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { WireClient } from "../../src/wire/wire-client.ts";
import { makeTempDir } from "./make-tree.ts";
import { wirePathIn } from "./wire-path.ts";

export type RawAnswer = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
) => Promise<void> | void;

export interface RawGuest extends AsyncDisposable {
  readonly socketPath: string;
  /** a client on a connection of its own, closed with the guest */
  readonly client: WireClient;
  /** `METHOD path` of every request, in order */
  readonly requests: readonly string[];
}

export async function startRawGuest(answer: RawAnswer): Promise<RawGuest> {
  const temp = makeTempDir();
  const socketPath = wirePathIn(temp.path);
  const sessions = new Set<http2.ServerHttp2Session>();
  const requests: string[] = [];
  const server = http2.createServer({ settings: { maxFrameSize: 1024 * 1024 } });
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined); // a test may cut it
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined); // the host may reset it
    requests.push(`${headers[":method"] ?? ""} ${headers[":path"] ?? headers[":authority"] ?? ""}`);
    void answer(stream, headers);
  });
  server.listen(socketPath);
  await once(server, "listening");
  const client = WireClient.open(socketPath);
  return {
    socketPath,
    client,
    requests,
    [Symbol.asyncDispose]: async () => {
      client.close();
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
      temp[Symbol.dispose]();
    },
  };
}

/** An answer with this status and these bytes as its body. */
export function respond(
  status: number,
  body: string | Uint8Array,
  type = "application/json",
): RawAnswer {
  return (stream) => {
    stream.respond({ ":status": status, "content-type": type });
    stream.end(body);
  };
}

export function problem(status: number, code: string, title: string): RawAnswer {
  return respond(status, JSON.stringify({ status, code, title }), "application/problem+json");
}
