/** The host's side of the wire: everything the guest agent offers, on one connection. docs/wire.md. */
import { randomBytes } from "node:crypto";
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import type { Duplex } from "node:stream";
import * as v from "valibot";
import { hostClock } from "../base/clock.ts";
import type { Clock } from "../base/clock.ts";
import { connectSession, openSession } from "./connection.ts";
import type { ConnectOptions, WirePlace } from "./connection.ts";
import { WireExec } from "./exec.ts";
import type { ExecStart, WireExecOptions } from "./exec.ts";
import { answered, openStream, readAll, readFileBody, requestJson, sendBody } from "./request.ts";
import type { RequestOptions } from "./request.ts";

/** What the guest agent says of itself and its machine. */
export interface GuestInfo {
  readonly protocol: 1;
  /** version of the guest agent */
  readonly agent: string;
  /** release of the machine's kernel */
  readonly kernel: string;
  readonly bootId: string;
  readonly hostname: string;
  readonly uptimeMs: number;
  /** how often the machine was resumed */
  readonly resumes: number;
}

const infoSchema: v.GenericSchema<GuestInfo> = v.object({
  protocol: v.literal(1),
  agent: v.string(),
  kernel: v.string(),
  bootId: v.string(),
  hostname: v.string(),
  uptimeMs: v.number(),
  resumes: v.number(),
});

const writtenSchema = v.object({ files: v.number(), bytes: v.number() });
const killedSchema = v.object({ killed: v.number() });
const scrubbedSchema = v.object({ bytes: v.number() });

/** Owner of what is written into a machine: the user that commands run as. */
export interface FileOwner {
  readonly uid: string;
  readonly gid: string;
}

const machineUser: FileOwner = { uid: "1000", gid: "1000" };
const entropyBytes = 256;
const partBytes = 64 * 1024;

export interface WriteFileOptions extends RequestOptions {
  /** @default 1000:1000 */
  readonly owner?: FileOwner | undefined;
  /** permission bits
   * @default 0o644 */
  readonly mode?: number;
}

export interface ReadFileOptions extends RequestOptions {
  /** largest file read in `bytes`
   * @default 64 MiB */
  readonly bytesMax?: number;
}

export class WireClient {
  readonly #session: ClientHttp2Session;
  readonly #clock: Clock;

  /** @param clock what every wait for the guest is counted on */
  constructor(session: ClientHttp2Session, clock: Clock = hostClock) {
    this.#session = session;
    this.#clock = clock;
  }

  /** A client at once; its first request is answered when the guest is up. */
  static open(place: WirePlace, clock?: Clock): WireClient {
    return new WireClient(openSession(place), clock);
  }

  /** A client whose guest has answered. Raises TIMEOUT or the signal's reason. */
  static async connect(place: WirePlace, options: ConnectOptions = {}): Promise<WireClient> {
    return new WireClient(await connectSession(place, options), options.clock);
  }

  info(options: RequestOptions = {}): Promise<GuestInfo> {
    return requestJson(this.#session, get("/v1/info"), undefined, infoSchema, this.#timed(options));
  }

  /** Makes the machine its own: time, entropy, name, machine id, boot id. */
  resume(hostname: string, options: RequestOptions = {}): Promise<GuestInfo> {
    const unixNanos =
      BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n;
    const body = {
      unixNanos: unixNanos.toString(),
      entropy: randomBytes(entropyBytes).toString("base64"),
      hostname,
      machineId: randomBytes(16).toString("hex"),
    };
    return requestJson(this.#session, post("/v1/resume"), body, infoSchema, this.#timed(options));
  }

  exec(start: ExecStart, options: WireExecOptions = {}): WireExec {
    return new WireExec(this.#session, start, this.#timed(options));
  }

  async readFile(path: string, options: ReadFileOptions = {}): Promise<Buffer> {
    const { bytesMax = 64 * 1024 * 1024 } = options;
    const stream = openStream(this.#session, get("/v1/file", { path }), options);
    stream.end();
    const { bodyBytes } = await answered(stream, this.#timed(options));
    const expected = Number.isSafeInteger(bodyBytes) ? bodyBytes : 0;
    return readAll(stream, bytesMax, this.#timed(options), expected);
  }

  async writeFile(
    path: string,
    data: Uint8Array | string,
    options: WriteFileOptions = {},
  ): Promise<void> {
    const { mode = 0o644, owner = machineUser } = options;
    const query = { path, mode: mode.toString(8).padStart(4, "0"), ...owner };
    const content = typeof data === "string" ? Buffer.from(data) : data;
    const headers = { ...put("/v1/file", query), "content-length": content.length };
    await sendBody(this.#session, headers, inParts(content), v.object({}), this.#timed(options));
  }

  /** Unpacks a tar stream below `path` in the machine. */
  sendTar(
    path: string,
    tar: AsyncIterable<Uint8Array>,
    options: RequestOptions & { readonly owner?: FileOwner | undefined } = {},
  ): Promise<{ readonly files: number; readonly bytes: number }> {
    const headers = put("/v1/tar", { path, ...(options.owner ?? machineUser) });
    return sendBody(this.#session, headers, tar, writtenSchema, this.#timed(options));
  }

  /** The tree below `path` in the machine as a tar stream, hostile bytes included. */
  async *receiveTar(
    path: string,
    options: RequestOptions = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    const stream = openStream(this.#session, get("/v1/tar", { path }), options);
    stream.end();
    await answered(stream, this.#timed(options));
    yield* readFileBody(stream, this.#timed(options));
  }

  /** A byte stream to a port inside the machine. Raises GUEST_REFUSED when nothing listens there. */
  async connectPort(
    port: number,
    host = "127.0.0.1",
    options: RequestOptions = {},
  ): Promise<Duplex> {
    const headers = { ":method": "CONNECT", ":authority": `${host}:${port}` };
    const stream = openStream(this.#session, headers, options);
    await answered(stream, this.#timed(options));
    return stream;
  }

  /** Kills every process in the machine but the agent; returns how many there were. */
  async quiesce(options: RequestOptions = {}): Promise<number> {
    const answer = await requestJson(
      this.#session,
      post("/v1/quiesce"),
      {},
      killedSchema,
      this.#timed(options),
    );
    return answer.killed;
  }

  /** Has the machine zero memory that nobody uses; returns how much, in `bytes`. */
  async scrub(options: RequestOptions = {}): Promise<number> {
    const answer = await requestJson(
      this.#session,
      post("/v1/scrub"),
      {},
      scrubbedSchema,
      this.#timed(options),
    );
    return answer.bytes;
  }

  /** Asks the machine to end itself. */
  async shutdown(options: RequestOptions = {}): Promise<void> {
    await requestJson(this.#session, post("/v1/shutdown"), {}, v.object({}), this.#timed(options));
  }

  /** A stream for whoever passes another's request on: neither head nor body is looked at. */
  request(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    return openStream(this.#session, headers, {});
  }

  close(): void {
    this.#session.destroy();
  }

  #timed<Options extends RequestOptions>(options: Options): Options & { readonly clock: Clock } {
    return { ...options, clock: this.#clock };
  }
}

/** Parts small enough that a guest which takes nothing is noticed at the first. */
async function* inParts(content: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < content.length; at += partBytes) {
    yield await Promise.resolve(content.subarray(at, at + partBytes));
  }
}

type Query = Readonly<Record<string, string>>;
type Head = Readonly<{ ":method": string; ":path": string }>;

function get(path: string, query?: Query): Head {
  return { ":method": "GET", ":path": withQuery(path, query) };
}

function put(path: string, query: Query): Head {
  return { ":method": "PUT", ":path": withQuery(path, query) };
}

function post(path: string): Head {
  return { ":method": "POST", ":path": path };
}

function withQuery(path: string, query?: Query): string {
  return query === undefined ? path : `${path}?${new URLSearchParams(query).toString()}`;
}
