/** One request to the guest agent and its answer; what the guest says is bounded and checked. */
import http2 from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import * as v from "valibot";
import { ByteCollector } from "../base/byte-collector.ts";
import type { Clock } from "../base/clock.ts";
import { withDeadline } from "../base/deadline.ts";
import { LuminaGuardError, isLuminaGuardError } from "../errors.ts";
import { watchPace } from "./pace.ts";
import type { Watch } from "./pace.ts";

const jsonBytesMax = 1024 * 1024;
/** longest wait for the guest in `ms` where the caller names none */
const defaultTimeoutMs = 60_000;

const problemSchema = v.object({
  status: v.number(),
  code: v.string(),
  title: v.pipe(v.string(), v.maxLength(4096)),
  hint: v.optional(v.pipe(v.string(), v.maxLength(4096))),
});

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** longest wait for the guest in `ms`: for its answer, and for each next part of a file
   * @default 60_000 */
  readonly timeoutMs?: number | undefined;
  /** what the wait is counted on: stands still while the machine is frozen
   * @default the host's */
  readonly clock?: Clock | undefined;
}

/** Opens a stream; it is reset when the signal aborts. */
export function openStream(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  { signal }: RequestOptions,
): ClientHttp2Stream {
  signal?.throwIfAborted();
  if (session.destroyed || session.closed) throw wireClosed();
  const stream = session.request(headers, { endStream: false, ...(signal && { signal }) });
  stream.on("error", () => undefined); // `answered` and the readers of the body tell of it
  return stream;
}

/** The head of the guest's answer. */
interface Head {
  readonly status: number;
  /** how long the body is to be in `bytes`, as the guest says, or 0 */
  readonly bodyBytes: number;
}

/**
 * Resolves when the guest answered with success. Raises GUEST_REFUSED, WIRE_BROKEN, TIMEOUT or the
 * signal's reason.
 */
export async function answered(
  stream: ClientHttp2Stream,
  options: RequestOptions = {},
): Promise<Head> {
  return accepted(stream, headOf(stream, options.signal), options);
}

async function accepted(
  stream: ClientHttp2Stream,
  answer: Promise<Head>,
  options: RequestOptions,
): Promise<Head> {
  const head = await inTime(stream, answer, options);
  const { status } = head;
  if (status >= 200 && status < 300) return head;
  throw refusal(await readJson(stream, options).catch(() => undefined), status);
}

/** The head of the guest's answer, whenever it comes. */
function headOf(stream: ClientHttp2Stream, signal?: AbortSignal): Promise<Head> {
  return new Promise((resolve, reject) => {
    stream.once("response", (headers) => {
      const bodyBytes = Number(headers["content-length"] ?? 0);
      resolve({ status: Number(headers[":status"]), bodyBytes });
    });
    stream.once("close", () => reject(streamEnd(stream, signal)));
  });
}

/** The work's result; a guest that takes too long has its stream reset. */
async function inTime<T>(
  stream: ClientHttp2Stream,
  work: Promise<T>,
  { signal, timeoutMs = defaultTimeoutMs, clock }: RequestOptions,
): Promise<T> {
  try {
    return await withDeadline(work, { timeoutMs, what: "the machine's answer", signal, clock });
  } catch (error) {
    if (isLuminaGuardError(error, "TIMEOUT")) stream.destroy(error);
    throw error;
  }
}

/** Sends JSON (or nothing) and reads a JSON answer of the given shape. */
export async function requestJson<const Schema extends v.GenericSchema>(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body: unknown,
  schema: Schema,
  options: RequestOptions = {},
): Promise<v.InferOutput<Schema>> {
  const stream = openStream(session, headers, options);
  stream.end(body === undefined ? undefined : JSON.stringify(body));
  await answered(stream, options);
  return readAnswer(stream, schema, options);
}

/** Sends a body as fast as the guest takes it and reads a JSON answer of the given shape. */
export async function sendBody<const Schema extends v.GenericSchema>(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body: AsyncIterable<Uint8Array>,
  schema: Schema,
  options: RequestOptions = {},
): Promise<v.InferOutput<Schema>> {
  const stream = openStream(session, headers, options);
  try {
    const answer = headOf(stream, options.signal);
    // a guest that refuses half-way answers before it took everything
    await Promise.race([writeBody(stream, body, options), answer]);
    await accepted(stream, answer, options);
    return await readAnswer(stream, schema, options);
  } finally {
    stream.close();
  }
}

async function readAnswer<const Schema extends v.GenericSchema>(
  stream: ClientHttp2Stream,
  schema: Schema,
  options: RequestOptions = {},
): Promise<v.InferOutput<Schema>> {
  const parsed = v.safeParse(schema, await readJson(stream, options));
  if (parsed.success) return parsed.output;
  throw new LuminaGuardError("WIRE_BROKEN", "the guest's answer has an unknown shape", {
    details: { issue: parsed.issues[0].message },
  });
}

async function readJson(stream: ClientHttp2Stream, options: RequestOptions): Promise<unknown> {
  const body = await inTime(stream, readAll(stream, jsonBytesMax, options), options);
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new LuminaGuardError("WIRE_BROKEN", "the guest's answer is not JSON", { cause: error });
  }
}

/**
 * The whole body. Raises WIRE_LIMIT when it is longer than `bytesMax`.
 * @param bytesExpected how long it is to be, if the guest told the truth
 */
export async function readAll(
  stream: ClientHttp2Stream,
  bytesMax: number,
  options: RequestOptions = {},
  bytesExpected?: number,
): Promise<Buffer> {
  const kept = new ByteCollector(bytesMax, bytesExpected);
  for await (const chunk of readFileBody(stream, options)) {
    if (kept.push(chunk) > 0) {
      stream.destroy();
      throw new LuminaGuardError("WIRE_LIMIT", `the guest sent more than ${bytesMax} bytes`, {
        details: { bytesMax },
      });
    }
  }
  return kept.bytes();
}

/** A body that the guest has to send without pause. Raises TIMEOUT when it does not. */
export function readFileBody(
  stream: ClientHttp2Stream,
  { signal, timeoutMs = defaultTimeoutMs, clock }: RequestOptions,
): AsyncGenerator<Buffer, void, undefined> {
  return readBody(stream, signal, watchPace(stream, timeoutMs, clock));
}

/** The body as it comes. A stream that was cut is an error, never an early end. */
export async function* readBody(
  stream: ClientHttp2Stream,
  signal?: AbortSignal,
  watch?: Watch,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    watch?.wait();
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      watch?.moved(chunk.length);
      yield chunk;
      watch?.wait();
    }
  } catch (error) {
    throw streamEnd(stream, signal, error);
  } finally {
    watch?.end();
  }
  if (stream.aborted || stream.rstCode !== 0) throw streamEnd(stream, signal);
}

/**
 * Sends a body as fast as the guest takes it, and ends it. Raises what the source raises, or TIMEOUT
 * when the guest takes nothing; ends early when the guest closed the stream, whose answer then says why.
 */
async function writeBody(
  stream: ClientHttp2Stream,
  chunks: AsyncIterable<Uint8Array>,
  options: RequestOptions = {},
): Promise<void> {
  try {
    for await (const chunk of chunks) {
      if (stream.destroyed || stream.closed) return;
      if (!stream.write(chunk)) await inTime(stream, drained(stream), options);
    }
    stream.end();
  } catch (error) {
    stream.close(http2.constants.NGHTTP2_CANCEL);
    throw error;
  }
}

function drained(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done).off("close", done);
      resolve();
    };
    stream.on("drain", done).on("close", done);
  });
}

function streamEnd(stream: ClientHttp2Stream, signal?: AbortSignal, cause?: unknown): Error {
  if (signal?.aborted === true) return signal.reason as Error;
  if (isLuminaGuardError(cause)) return cause;
  const session = stream.session;
  if (session === undefined || session.destroyed) return wireClosed(cause);
  return new LuminaGuardError("WIRE_BROKEN", "the guest reset a stream", {
    details: { rstCode: stream.rstCode },
    cause,
  });
}

function wireClosed(cause?: unknown): LuminaGuardError {
  return new LuminaGuardError("WIRE_BROKEN", "the wire to the machine is closed", { cause });
}

function refusal(problem: unknown, status: number): LuminaGuardError {
  const parsed = v.safeParse(problemSchema, problem);
  const code = parsed.success ? parsed.output.code : "unknown";
  const title = parsed.success ? parsed.output.title : `status ${status}`;
  return new LuminaGuardError("GUEST_REFUSED", `the machine refused: ${title}`, {
    details: { status, code, title, ...(parsed.success && { hint: parsed.output.hint }) },
  });
}
