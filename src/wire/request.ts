/** One request to the guest agent and its answer; what the guest says is bounded and checked. */
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import * as v from "valibot";
import { LuminaGuardError } from "../errors.ts";

const jsonBytesMax = 1024 * 1024;

const problemSchema = v.object({
  status: v.number(),
  code: v.string(),
  title: v.pipe(v.string(), v.maxLength(4096)),
});

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
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

/** Resolves when the guest answered with success. Raises GUEST_REFUSED, WIRE_BROKEN or the signal's reason. */
export async function answered(stream: ClientHttp2Stream, signal?: AbortSignal): Promise<void> {
  const status = await new Promise<number>((resolve, reject) => {
    stream.once("response", (headers) => resolve(Number(headers[":status"])));
    stream.once("close", () => reject(streamEnd(stream, signal)));
  });
  if (status >= 200 && status < 300) return;
  throw refusal(await readJson(stream, signal).catch(() => undefined), status);
}

/** Sends JSON (or nothing) and reads a JSON answer of the given shape. */
export async function requestJson<const Schema extends v.GenericSchema>(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body: unknown,
  schema: Schema,
  { signal }: RequestOptions = {},
): Promise<v.InferOutput<Schema>> {
  const stream = openStream(session, headers, { signal });
  stream.end(body === undefined ? undefined : JSON.stringify(body));
  await answered(stream, signal);
  const parsed = v.safeParse(schema, await readJson(stream, signal));
  if (parsed.success) return parsed.output;
  throw new LuminaGuardError("WIRE_BROKEN", "the guest's answer has an unknown shape", {
    details: { path: headers[":path"], issue: parsed.issues[0].message },
  });
}

async function readJson(stream: ClientHttp2Stream, signal?: AbortSignal): Promise<unknown> {
  const body = await readAll(stream, jsonBytesMax, signal);
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new LuminaGuardError("WIRE_BROKEN", "the guest's answer is not JSON", { cause: error });
  }
}

/** The whole body. Raises WIRE_LIMIT when it is longer than `bytesMax`. */
export async function readAll(
  stream: ClientHttp2Stream,
  bytesMax: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of readBody(stream, signal)) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      stream.destroy();
      throw new LuminaGuardError("WIRE_LIMIT", `the guest sent more than ${bytesMax} bytes`, {
        details: { bytesMax },
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The body as it comes. A stream that was cut is an error, never an early end. */
export async function* readBody(
  stream: ClientHttp2Stream,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw streamEnd(stream, signal, error);
  }
  if (stream.aborted || stream.rstCode !== 0) throw streamEnd(stream, signal);
}

function streamEnd(stream: ClientHttp2Stream, signal?: AbortSignal, cause?: unknown): Error {
  if (signal?.aborted === true) return signal.reason as Error;
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
    details: { status, code },
  });
}
