/** The first message of a connection, with nothing of what follows taken: whoever it is has shown nothing yet. */
import type { Duplex } from "node:stream";
import * as v from "valibot";
import { withDeadline } from "../../base/deadline.ts";
import { createDeferred } from "../../base/deferred.ts";
import { LuminaGuardError } from "../../errors.ts";
import { FrameReader } from "../../vm/migration/frames.ts";

const firstBytesMax = 256 * 1024;
const timeoutMs = 10_000;

/** Raises WIRE_BROKEN, WIRE_LIMIT and TIMEOUT. Whoever sends it waits for the answer before it says more. */
export async function readFirstMessage<T>(
  channel: Duplex,
  schema: v.GenericSchema<unknown, T>,
): Promise<T> {
  const found = createDeferred<unknown>();
  const reader = new FrameReader(firstBytesMax);
  const broken = (why: string): LuminaGuardError =>
    new LuminaGuardError("WIRE_BROKEN", `the other host ${why}`);
  const onData = (chunk: Buffer): void => {
    try {
      const [first, ...more] = reader.push(chunk);
      if (first === undefined) return;
      if (first.kind !== "message" || more.length > 0 || !reader.isBetweenFrames) {
        throw broken("did not wait for an answer");
      }
      found.resolve(first.message);
    } catch (error) {
      found.reject(error);
    }
  };
  const onClose = (): void => found.reject(broken("left before it said who it is"));
  channel.on("data", onData).once("close", onClose);
  try {
    const what = "the other host's first word";
    const message = v.safeParse(schema, await withDeadline(found.promise, { timeoutMs, what }));
    if (message.success) return message.output;
    throw broken("began with what is none of its words");
  } finally {
    channel.off("data", onData).off("close", onClose);
    channel.pause();
  }
}
