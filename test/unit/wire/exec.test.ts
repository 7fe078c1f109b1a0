import { describe, expect, it } from "vitest";
import { encodeFrame, frameTypes } from "../../../src/wire/exec-frames.ts";
import type { OutputChunk, WireExec } from "../../../src/wire/exec.ts";
import { startRawGuest } from "../../support/raw-guest.ts";
import type { RawGuest } from "../../support/raw-guest.ts";

const json = (type: number, body: unknown): Buffer =>
  encodeFrame(type, Buffer.from(JSON.stringify(body)));
const started = json(frameTypes.started, { pid: 42 });
const exitFrame = (body: object): Buffer =>
  json(frameTypes.exit, { timedOut: false, durationMs: 3, ...body });

/** A guest that answers each exec with these bytes, and ends the stream. */
function guestSaying(...frames: readonly Buffer[]): Promise<RawGuest> {
  return startRawGuest((stream) => {
    stream.respond({ ":status": 200 });
    stream.end(Buffer.concat(frames));
  });
}

async function readAll(exec: WireExec): Promise<OutputChunk[]> {
  const chunks: OutputChunk[] = [];
  for await (const chunk of exec.output()) chunks.push(chunk);
  return chunks;
}

async function outcome(...frames: readonly Buffer[]): Promise<unknown> {
  await using guest = await guestSaying(...frames);
  const exec = guest.client.exec({ argv: ["x"] });
  try {
    const output = await readAll(exec);
    return { output: output.length, ...(await exec.exit) };
  } catch (error) {
    await expect(exec.exit).rejects.toBe(error);
    return error;
  }
}

describe("a command in a machine", () => {
  it("gives what it printed, in order, and how it ended", async () => {
    await using guest = await guestSaying(
      started,
      encodeFrame(frameTypes.stdout, Buffer.from("one")),
      encodeFrame(frameTypes.stderr, Buffer.from("two")),
      exitFrame({ code: 7 }),
    );
    const exec = guest.client.exec({ argv: ["x"] });
    expect(await readAll(exec)).toEqual([
      { source: "stdout", data: Buffer.from("one") },
      { source: "stderr", data: Buffer.from("two") },
    ]);
    expect(await exec.exit).toEqual({
      exitCode: 7,
      signal: undefined,
      timedOut: false,
      durationMs: 3,
    });
  });

  it("that a signal ended has 128 + N as its code", async () => {
    expect(await outcome(started, exitFrame({ signal: 9 }))).toMatchObject({
      exitCode: 137,
      signal: 9,
    });
  });

  it.each([
    ["not-found", "EXEC_NOT_FOUND"],
    ["not-executable", "EXEC_NOT_EXECUTABLE"],
    ["denied", "GUEST_REFUSED"],
    ["constructor", "GUEST_REFUSED"],
  ])("that could not start (%s) is %s, in the guest's words", async (code, expected) => {
    const frame = json(frameTypes.failed, { code, title: "no such thing" });
    expect(await outcome(frame)).toMatchObject({
      code: expected,
      message: "no such thing",
      details: { code },
    });
  });

  it.each([
    ["an exit that is not JSON", [encodeFrame(frameTypes.exit, Buffer.from("{"))]],
    ["an exit code over 255", [exitFrame({ code: 256 })]],
    ["an exit code below 0", [exitFrame({ code: -1 })]],
    ["an exit code that is text", [exitFrame({ code: "0" })]],
    ["a signal that is none", [exitFrame({ signal: 0 })]],
    ["an exit that says neither code nor signal", [exitFrame({})]],
    ["an exit that says both code and signal", [exitFrame({ code: 0, signal: 9 })]],
    ["a failure of the wrong shape", [json(frameTypes.failed, { code: 5 })]],
    [
      "a failure with an endless title",
      [json(frameTypes.failed, { code: "x", title: "a".repeat(5000) })],
    ],
    ["a frame of unknown type", [encodeFrame(0x77, Buffer.alloc(0))]],
    ["a frame that only a host sends", [encodeFrame(frameTypes.stdin, Buffer.alloc(1))]],
    ["half a frame", [started, exitFrame({ code: 0 }).subarray(0, 9)]],
    ["an end without an exit", [started]],
    ["nothing", []],
  ])("is broken off when the guest sends %s", async (_what, frames) => {
    expect(await outcome(...frames)).toMatchObject({ code: "WIRE_BROKEN" });
  });

  it("is broken off when the guest announces a frame over the bound", async () => {
    const header = Buffer.from([frameTypes.stdout, 0xff, 0xff, 0xff, 0xff]);
    expect(await outcome(header)).toMatchObject({ code: "WIRE_LIMIT" });
  });

  it("hears no more of a guest that goes on after the exit", async () => {
    const more = encodeFrame(frameTypes.stdout, Buffer.from("late"));
    expect(await outcome(exitFrame({ code: 0 }), more)).toMatchObject({ output: 0, exitCode: 0 });
  });

  it("fails when the guest refuses the stream with a problem", async () => {
    await using guest = await startRawGuest((stream) => {
      stream.respond({ ":status": 403, "content-type": "application/problem+json" });
      stream.end(JSON.stringify({ status: 403, code: "denied", title: "not today" }));
    });
    await expect(readAll(guest.client.exec({ argv: ["x"] }))).rejects.toMatchObject({
      code: "GUEST_REFUSED",
      message: "the machine refused: not today",
      details: { status: 403, code: "denied" },
    });
  });

  it("fails when the guest resets the stream in mid-output", async () => {
    await using guest = await startRawGuest((stream) => {
      stream.respond({ ":status": 200 });
      stream.write(started, () => stream.close(2));
    });
    await expect(readAll(guest.client.exec({ argv: ["x"] }))).rejects.toMatchObject({
      code: "WIRE_BROKEN",
    });
  });

  it("fails when the wire is cut", async () => {
    await using guest = await startRawGuest((stream) => {
      stream.respond({ ":status": 200 });
      stream.write(started, () => stream.session?.destroy());
    });
    await expect(readAll(guest.client.exec({ argv: ["x"] }))).rejects.toMatchObject({
      code: "WIRE_BROKEN",
    });
  });

  it("ends with the caller's own reason when it is aborted", async () => {
    await using guest = await startRawGuest((stream) => {
      stream.respond({ ":status": 200 });
      stream.write(started);
    });
    const over = new AbortController();
    const reason = new Error("enough");
    const reading = readAll(guest.client.exec({ argv: ["x"] }, { signal: over.signal }));
    setImmediate(() => over.abort(reason));
    await expect(reading).rejects.toBe(reason);
  });

  it("is ended in the machine when its output is left early", async () => {
    let reset: ((code: number) => void) | undefined;
    const wasReset = new Promise<number>((resolve) => (reset = resolve));
    await using guest = await startRawGuest((stream) => {
      stream.once("close", () => reset?.(stream.rstCode));
      stream.respond({ ":status": 200 });
      stream.write(encodeFrame(frameTypes.stdout, Buffer.from("a")));
    });
    const exec = guest.client.exec({ argv: ["x"] });
    for await (const chunk of exec.output()) {
      expect(chunk.source).toBe("stdout");
      break;
    }
    await expect(exec.exit).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await wasReset).not.toBeUndefined();
  });
});

describe("what a command is sent", () => {
  /** Gives everything the host sent, once the host ended its stdin. */
  function recordingGuest(): { guest: Promise<RawGuest>; frames: Buffer[] } {
    const frames: Buffer[] = [];
    const stop = encodeFrame(frameTypes.stdinEnd, Buffer.alloc(0));
    const guest = startRawGuest((stream) => {
      stream.respond({ ":status": 200 });
      stream.on("data", (chunk: Buffer) => {
        frames.push(chunk);
        if (Buffer.concat(frames).subarray(-stop.length).equals(stop)) {
          stream.end(exitFrame({ code: 0 }));
        }
      });
    });
    return { guest, frames };
  }

  it("is the start, then stdin, signals and sizes, as docs/wire.md has them", async () => {
    const { guest: starting, frames } = recordingGuest();
    await using guest = await starting;
    const exec = guest.client.exec({ argv: ["cat"], cwd: "/", stdin: true });
    await exec.writeStdin(Buffer.from("abc"));
    await exec.signal(15);
    await exec.resize({ columns: 300, rows: 24 });
    await exec.endStdin();
    await readAll(exec);
    const start = JSON.stringify({ argv: ["cat"], cwd: "/", stdin: true });
    const header = Buffer.from([0x00, 0, 0, 0, start.length]);
    expect(Buffer.concat(frames)).toEqual(
      Buffer.concat([
        header,
        Buffer.from(start),
        Buffer.from([0x01, 0, 0, 0, 3, 0x61, 0x62, 0x63]),
        Buffer.from([0x03, 0, 0, 0, 1, 15]),
        Buffer.from([0x04, 0, 0, 0, 4, 1, 44, 0, 24]),
        Buffer.from([0x02, 0, 0, 0, 0]),
      ]),
    );
  });

  it("is dropped without an error when the command has ended", async () => {
    await using guest = await guestSaying(exitFrame({ code: 0 }));
    const exec = guest.client.exec({ argv: ["x"], stdin: true });
    await readAll(exec);
    await expect(exec.writeStdin(Buffer.alloc(10))).resolves.toBeUndefined();
    await expect(exec.endStdin()).resolves.toBeUndefined();
  });
});
