/**
 * A guest agent without a machine: it speaks the wire's protocol, keeps files in memory, knows a few
 * commands, and runs nothing. For dry runs and tests of everything above the wire.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import http2 from "node:http2";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { PassThrough } from "node:stream";
import { createDeferred } from "../base/deferred.ts";
import type { Deferred } from "../base/deferred.ts";
import { encodeFrame, FrameDecoder, frameTypes } from "./exec-frames.ts";
import type { Frame } from "./exec-frames.ts";
import type { ExecStart } from "./exec.ts";
import { fakeCommands } from "./fake-commands.ts";

export interface FakeGuestServer {
  /** settles when the guest ended, by request or by `close` */
  readonly ended: Promise<void>;
  readonly close: () => Promise<void>;
}

export async function startFakeGuest(socketPath: string): Promise<FakeGuestServer> {
  const server = http2.createServer({ settings: { maxFrameSize: 1024 * 1024 } });
  const sessions = new Set<http2.ServerHttp2Session>();
  const ended = createDeferred<undefined>();
  const close = async (): Promise<void> => {
    for (const session of sessions) session.destroy();
    server.close(() => ended.resolve(undefined));
    await ended.promise;
  };
  const guest = new FakeGuest(close);
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined); // a host that speaks garbage loses its session
    session.once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined); // the host reset it
    void guest.answer(stream, headers).catch(() => stream.destroy());
  });
  server.listen(socketPath);
  await once(server, "listening");
  return { ended: ended.promise, close };
}

type Answer = (stream: ServerHttp2Stream, path: string) => Promise<void> | void;

class FakeGuest {
  readonly #files = new Map<string, Buffer>();
  readonly #startedAt = performance.now();
  readonly #close: () => Promise<void>;
  #hostname = "fake";
  #bootId: string = randomUUID();
  #resumes = 0;

  constructor(close: () => Promise<void>) {
    this.#close = close;
  }

  readonly #answers: Readonly<Record<string, Answer>> = {
    "POST /v1/exec": exec,
    "GET /v1/info": (stream) => reply(stream, this.#info()),
    "POST /v1/resume": async (stream) => {
      const body = (await readBody(stream)).toString("utf8");
      this.#hostname = (JSON.parse(body) as { hostname: string }).hostname;
      this.#bootId = randomUUID();
      this.#resumes += 1;
      reply(stream, this.#info());
    },
    "PUT /v1/file": async (stream, path) => {
      const content = await readBody(stream);
      this.#files.set(path, content);
      reply(stream, { files: 1, bytes: content.length });
    },
    "GET /v1/file": (stream, path) => this.#sendFile(stream, path),
    "POST /v1/quiesce": (stream) => reply(stream, { killed: 0 }),
    "POST /v1/scrub": (stream) => reply(stream, { bytes: 0 }),
    "POST /v1/shutdown": async (stream) => {
      const answered = once(stream, "close");
      reply(stream, {});
      await answered;
      await this.#close();
    },
  };

  async answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const url = new URL(headers[":path"] ?? "/", "http://guest");
    const answer = this.#answers[`${headers[":method"] ?? ""} ${url.pathname}`];
    if (answer !== undefined) await answer(stream, url.searchParams.get("path") ?? "");
    else refuse(stream, 404, "not-found", `a fake machine does not know ${url.pathname}`);
  }

  #info(): unknown {
    return {
      protocol: 1,
      agent: "fake",
      kernel: "none",
      bootId: this.#bootId,
      hostname: this.#hostname,
      uptimeMs: Math.round(performance.now() - this.#startedAt),
      resumes: this.#resumes,
    };
  }

  #sendFile(stream: ServerHttp2Stream, path: string): void {
    const content = this.#files.get(path);
    if (content === undefined) {
      refuse(stream, 404, "not-found", `no such file: ${path}`);
      return;
    }
    stream.respond({ ":status": 200 });
    stream.end(content);
  }
}

function reply(stream: ServerHttp2Stream, body: unknown): void {
  stream.respond({ ":status": 200, "content-type": "application/json" });
  stream.end(JSON.stringify(body));
}

function refuse(stream: ServerHttp2Stream, status: number, code: string, title: string): void {
  stream.respond({ ":status": status, "content-type": "application/problem+json" });
  stream.end(JSON.stringify({ status, code, title }));
}

async function readBody(stream: ServerHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What the host asked of a command so far. */
class FakeControl {
  readonly stdin = new PassThrough();
  readonly over = new AbortController();
  readonly started: Deferred<ExecStart> = createDeferred();
  killedBy: number | undefined;

  end(signal: number): void {
    this.killedBy ??= signal;
    this.over.abort();
  }

  take({ type, payload }: Frame): void {
    if (type === frameTypes.start) {
      this.started.resolve(JSON.parse(payload.toString("utf8")) as ExecStart);
    }
    if (type === frameTypes.stdin) this.stdin.write(payload);
    if (type === frameTypes.stdinEnd) this.stdin.end();
    if (type === frameTypes.signal) this.end(payload[0] ?? 0);
  }
}

/** A command's life as docs/wire.md has it: frames in, frames out, the last one says how it ended. */
async function exec(stream: ServerHttp2Stream): Promise<void> {
  stream.respond({ ":status": 200 });
  const send = (type: number, payload: Uint8Array | string): void => {
    if (!stream.destroyed) stream.write(encodeFrame(type, Buffer.from(payload)));
  };
  const control = new FakeControl();
  const decoder = new FrameDecoder();
  stream.on("data", (chunk: Buffer) => {
    for (const frame of decoder.push(chunk)) control.take(frame);
  });
  stream.once("close", () => control.end(9));
  const start = await control.started.promise;
  const [name = "", ...args] = start.argv;
  const command = fakeCommands[name];
  if (command === undefined) {
    send(
      frameTypes.failed,
      JSON.stringify({ code: "not-found", title: `no such command: ${name}` }),
    );
    stream.end();
    return;
  }
  if (start.stdin !== true) control.stdin.end();
  const limit = limitTime(start.timeoutMs ?? 0, control);
  send(frameTypes.started, JSON.stringify({ pid: 1 }));
  const startedAt = performance.now();
  const code = await command({
    args,
    env: start.env ?? {},
    cwd: start.cwd ?? "/",
    stdin: control.stdin,
    stdout: (data) => send(frameTypes.stdout, data),
    stderr: (data) => send(frameTypes.stderr, data),
    signal: control.over.signal,
  });
  const how = control.killedBy === undefined ? { code } : { signal: control.killedBy };
  const durationMs = Math.round(performance.now() - startedAt);
  send(frameTypes.exit, JSON.stringify({ ...how, timedOut: limit.stop(), durationMs }));
  stream.end();
}

function limitTime(timeoutMs: number, control: FakeControl): { readonly stop: () => boolean } {
  if (timeoutMs === 0) return { stop: () => false };
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    control.end(15);
  }, timeoutMs);
  return {
    stop: () => {
      clearTimeout(timer);
      return timedOut;
    },
  };
}
