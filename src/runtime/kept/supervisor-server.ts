/**
 * A supervisor's socket: many clients at once, the guest's own paths passed on to it over the one wire,
 * and the supervisor's. The guest cannot reach any of it: on its wire it only answers.
 */
import { once } from "node:events";
import { chmod, rm } from "node:fs/promises";
import http2 from "node:http2";
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import * as v from "valibot";
import { ByteCollector } from "../../base/byte-collector.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { Machine } from "../machine.ts";
import { forward } from "./forward.ts";
import { saveRequestSchema, toPlainError } from "./supervisor-protocol.ts";
import type { SupervisorStatus } from "./supervisor-protocol.ts";

export interface SupervisorServerOptions {
  readonly socketPath: string;
  readonly name: string;
  readonly machine: Machine;
  /** asked to end the machine; answered when it has ended */
  readonly stop: () => Promise<void>;
}

export interface SupervisorServer {
  readonly close: () => Promise<void>;
}

const clientsMax = 32;
const streamsPerClientMax = 64;
/** of the 256 that the guest takes */
const streamsMax = 200;
const requestBytesMax = 64 * 1024;
/** as the wire has them: what a client may send before it is read, in `bytes` */
const windows = { stream: 1024 * 1024, connection: 16 * 1024 * 1024 };
/** the supervisor gives the machine its identity and ends it; nobody else does */
const ownPaths: ReadonlySet<string> = new Set(["/v1/resume", "/v1/shutdown"]);

export async function serveSupervisor(options: SupervisorServerOptions): Promise<SupervisorServer> {
  const { socketPath } = options;
  const sessions = new Set<ServerHttp2Session>();
  const server = http2.createServer({
    maxSessionMemory: 64,
    settings: {
      maxConcurrentStreams: streamsPerClientMax,
      initialWindowSize: windows.stream,
      maxFrameSize: 1024 * 1024,
      maxHeaderListSize: 16 * 1024,
    },
  });
  const desk = new Desk(options);
  server.on("session", (session) => {
    if (sessions.size >= clientsMax) {
      session.destroy();
      return;
    }
    sessions.add(session);
    session.setLocalWindowSize(windows.connection);
    session.on("error", () => undefined); // a client that speaks garbage loses its connection
    session.once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined); // the client reset it
    void desk.answer(stream, headers).catch((error: unknown) => refuse(stream, 500, error));
  });
  await rm(socketPath, { force: true }); // the claim of the run says that nobody listens on it
  server.listen(socketPath);
  await once(server, "listening");
  await chmod(socketPath, 0o600);
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      for (const session of sessions) session.destroy();
      await closed;
      await rm(socketPath, { force: true });
    },
  };
}

class Desk {
  readonly #options: SupervisorServerOptions;
  #streams = 0;

  constructor(options: SupervisorServerOptions) {
    this.#options = options;
  }

  async answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const path = (headers[":path"] ?? "").split("?", 1)[0] ?? "";
    const { machine, stop } = this.#options;
    switch (`${headers[":method"] ?? ""} ${path}`) {
      case "GET /supervisor/status":
        reply(stream, this.#status());
        return;
      case "POST /supervisor/stop":
        await stop();
        reply(stream, {});
        return;
      case "POST /supervisor/save": {
        const asked = v.parse(saveRequestSchema, JSON.parse(await readText(stream)));
        reply(stream, await machine.save(asked.folder));
        return;
      }
    }
    this.#forward(stream, headers, path);
  }

  #forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, path: string): void {
    const isTunnel = headers[":method"] === "CONNECT";
    if (!isTunnel && (!path.startsWith("/v1/") || ownPaths.has(path))) {
      refuse(stream, 404, new LuminaGuardError("USAGE", `there is nothing at ${path}`));
      return;
    }
    if (this.#streams >= streamsMax) {
      const busy = `${this.#streams} requests are under way`;
      refuse(stream, 503, new LuminaGuardError("HOST_LIMIT", busy, { hint: "try again later" }));
      return;
    }
    this.#streams += 1;
    const guest = forward(stream, headers, (head) => this.#options.machine.request(head));
    guest.once("close", () => (this.#streams -= 1));
  }

  #status(): SupervisorStatus {
    const { machine, name } = this.#options;
    const { backend, accelerator } = machine.facts;
    return {
      name,
      machine: machine.id,
      pid: process.pid,
      vmmPid: machine.pid,
      backend: `${backend}/${accelerator}`,
      isFrozen: machine.isFrozen,
      canBeSaved: machine.canBeSaved,
      streams: this.#streams,
      console: machine.consoleTail(),
    };
  }
}

function reply(stream: ServerHttp2Stream, body: unknown): void {
  if (stream.destroyed) return;
  stream.respond({ ":status": 200, "content-type": "application/json" });
  stream.end(JSON.stringify(body));
}

/** As the guest refuses, with one more field for what a problem has no room for. */
function refuse(stream: ServerHttp2Stream, status: number, error: unknown): void {
  if (stream.destroyed || stream.headersSent) {
    stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  const plain = toPlainError(error);
  stream.respond({ ":status": status, "content-type": "application/problem+json" });
  stream.end(JSON.stringify({ status, code: plain.code, title: plain.message, hint: plain.hint }));
}

async function readText(stream: ServerHttp2Stream): Promise<string> {
  const body = new ByteCollector(requestBytesMax);
  let lost = 0;
  // read to its end all the same: a stream that is left is torn down, and its client hears no reason
  for await (const chunk of stream as AsyncIterable<Buffer>) lost += body.push(chunk);
  if (lost > 0) throw new LuminaGuardError("USAGE", "the request is too long");
  return body.bytes().toString("utf8");
}
