/** A guest may send anything, or nothing: every request ends in a clear error, in bounded time and memory. */
import type { ServerHttp2Stream } from "node:http2";
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { encodeFrame, frameTypes } from "../../src/wire/exec-frames.ts";
import { WireClient } from "../../src/wire/wire-client.ts";
import {
  http2Frame,
  http2Types,
  startHttp2Server,
  startRawServer,
  status200,
} from "../support/hostile-server.ts";
import type { HostileServer } from "../support/hostile-server.ts";

/** shortened: whatever ends later than `boundMs` had no deadline */
const deadlineMs = 300;
/** for what has to end before any deadline */
const patientMs = 15_000;
const boundMs = 20_000;

async function* endless(): AsyncGenerator<Buffer, void, undefined> {
  for (;;) yield await Promise.resolve(Buffer.alloc(65_536));
}
async function drain(chunks: AsyncIterable<unknown>): Promise<void> {
  const all = chunks[Symbol.asyncIterator]();
  while ((await all.next()).done !== true);
}

type Request = (client: WireClient, timeoutMs: number) => Promise<unknown>;
const requests = {
  info: (client, timeoutMs) => client.info({ timeoutMs }),
  resume: (client, timeoutMs) => client.resume("vm-1", { timeoutMs }),
  quiesce: (client, timeoutMs) => client.quiesce({ timeoutMs }),
  scrub: (client, timeoutMs) => client.scrub({ timeoutMs }),
  shutdown: (client, timeoutMs) => client.shutdown({ timeoutMs }),
  readFile: (client, timeoutMs) => client.readFile("/x", { timeoutMs, bytesMax: 1_000_000 }),
  writeFile: (client, timeoutMs) => client.writeFile("/x", Buffer.alloc(9_000_000), { timeoutMs }),
  sendTar: (client, timeoutMs) => client.sendTar("/", endless(), { timeoutMs }),
  receiveTar: (client, timeoutMs) => drain(client.receiveTar("/", { timeoutMs })),
  connectPort: (client, timeoutMs) => client.connectPort(80, "127.0.0.1", { timeoutMs }),
  exec: (client, timeoutMs) => drain(client.exec({ argv: ["x"] }, { timeoutMs }).output()),
} satisfies Readonly<Record<string, Request>>;
type Name = keyof typeof requests;
const names = Object.keys(requests) as Name[];

async function failureOf(
  server: HostileServer,
  request: Request,
  timeoutMs = patientMs,
): Promise<ErrorCode | "none" | "no end"> {
  const client = WireClient.open(server.socketPath);
  const failed = request(client, timeoutMs).then(
    () => "none" as const,
    (error: unknown) => (error as { code: ErrorCode }).code,
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"no end">((resolve) => {
    timer = setTimeout(resolve, boundMs, "no end");
  });
  const outcome = await Promise.race([failed, late]);
  clearTimeout(timer);
  client.close();
  return outcome;
}

async function failuresOf(
  server: HostileServer,
  timeoutMs?: number,
  of: readonly Name[] = names,
): Promise<Record<string, string>> {
  const outcomes = of.map(async (name): Promise<[string, string]> => {
    return [name, await failureOf(server, requests[name], timeoutMs)];
  });
  return Object.fromEntries(await Promise.all(outcomes));
}
const all = (code: ErrorCode, of: readonly Name[] = names): Record<string, string> => {
  return Object.fromEntries(of.map((name) => [name, code]));
};

const settings = http2Frame(http2Types.settings, 0, 0);
const json = (stream: ServerHttp2Stream, body: string): void => {
  stream.respond({ ":status": 200 });
  stream.end(body);
};

describe("a guest's end of the wire", () => {
  it("that says nothing at all ends every request at its deadline", async () => {
    await using server = await startRawServer((socket) => void socket.resume());
    expect(await failuresOf(server, deadlineMs)).toEqual(all("TIMEOUT"));
  });

  it("that speaks HTTP/2 and never answers ends every request at its deadline", async () => {
    await using server = await startHttp2Server(() => undefined);
    expect(await failuresOf(server, deadlineMs)).toEqual(all("TIMEOUT"));
  });

  it.each([
    ["hangs up", Buffer.alloc(0)],
    ["sends garbage", Buffer.from("HTTP/1.1 200 OK\r\n\r\nhello ".repeat(64))],
    [
      "sends a truncated frame",
      http2Frame(http2Types.settings, 0, 0, Buffer.alloc(6)).subarray(0, 11),
    ],
    [
      "leaves in good order",
      Buffer.concat([settings, http2Frame(http2Types.goAway, 0, 0, Buffer.alloc(8))]),
    ],
    [
      "promises what nobody asked for",
      Buffer.concat([
        settings,
        http2Frame(http2Types.pushPromise, 4, 1, Buffer.of(0, 0, 0, 2, 0x88)),
      ]),
    ],
    [
      "answers a stream that is not there",
      Buffer.concat([settings, http2Frame(http2Types.headers, 4, 99, status200)]),
    ],
    [
      "resets every stream",
      Buffer.concat([settings, http2Frame(http2Types.reset, 0, 1, Buffer.of(0, 0, 0, 2))]),
    ],
  ])("that %s fails every request", async (_what, bytes) => {
    await using server = await startRawServer((socket) => {
      socket.once("data", () => socket.end(bytes));
    });
    const outcomes = await failuresOf(server);
    expect(outcomes).toEqual(all("WIRE_BROKEN"));
  });

  it("that announces a frame over the bound fails every request", async () => {
    const bytes = Buffer.concat([settings, Buffer.from("ffffff000000000001", "hex")]);
    await using server = await startRawServer((socket) => {
      socket.once("data", () => socket.write(bytes));
    });
    // the connection is given up, which Node tells nobody: the deadline does
    expect(await failuresOf(server, deadlineMs)).toEqual(all("TIMEOUT"));
  });

  it("that never ends its headers is cut", async () => {
    await using server = await startRawServer((socket) => {
      socket.once("data", () => {
        socket.write(Buffer.concat([settings, http2Frame(http2Types.headers, 0, 1, status200)]));
        const field = Buffer.concat([
          Buffer.of(0, 1, 0x78, 127, 0x81, 0x7e),
          Buffer.alloc(16_256, 0x61),
        ]);
        const more = (): void => {
          while (
            !socket.destroyed &&
            socket.write(http2Frame(http2Types.continuation, 0, 1, field))
          );
        };
        socket.on("drain", more);
        more();
      });
    });
    expect(await failureOf(server, requests.info)).toBe("WIRE_BROKEN");
  });

  it("that takes requests and not their bodies ends them at the deadline", async () => {
    await using server = await startHttp2Server((stream) => void stream.pause());
    const asked: readonly Name[] = ["writeFile", "sendTar"];
    expect(await failuresOf(server, deadlineMs, asked)).toEqual(all("TIMEOUT", asked));
  });
});

describe("an answer", () => {
  it.each([
    ["is not JSON", "<html>"],
    ["has another shape", '{"protocol":2,"killed":"many","files":[]}'],
    ["is nothing", ""],
  ])("that %s is refused", async (_what, body) => {
    await using server = await startHttp2Server((stream) => json(stream, body));
    const asked: readonly Name[] = ["info", "resume", "quiesce", "scrub", "sendTar"];
    expect(await failuresOf(server, patientMs, asked)).toEqual(all("WIRE_BROKEN", asked));
  });

  it("that never ends is cut at its bound", async () => {
    await using server = await startHttp2Server(flood);
    const asked: readonly Name[] = ["info", "quiesce", "readFile"];
    expect(await failuresOf(server, patientMs, asked)).toEqual(all("WIRE_LIMIT", asked));
  });

  it("that comes a byte at a time and never ends is cut at the deadline", async () => {
    await using server = await startHttp2Server(dribble);
    const asked: readonly Name[] = ["info", "readFile", "receiveTar"];
    expect(await failuresOf(server, deadlineMs, asked)).toEqual(all("TIMEOUT", asked));
  });

  it("that is a refusal with an endless reason is a refusal all the same", async () => {
    await using server = await startHttp2Server((stream) => {
      stream.respond({ ":status": 500 });
      pour(stream);
    });
    expect(await failureOf(server, requests.info)).toBe("GUEST_REFUSED");
  });
});

describe("a command's stream", () => {
  const start = { argv: ["x"], timeoutMs: 100 };
  const exit = encodeFrame(
    frameTypes.exit,
    Buffer.from('{"code":0,"timedOut":false,"durationMs":1}'),
  );
  it.each<[string, Buffer, ErrorCode]>([
    ["ends inside a frame", exit.subarray(0, 9), "WIRE_BROKEN"],
    ["ends without saying how the command did", Buffer.alloc(0), "WIRE_BROKEN"],
    ["announces a frame over the bound", Buffer.from("1100100001", "hex"), "WIRE_LIMIT"],
    ["has a frame of an unknown type", encodeFrame(0x7f, Buffer.alloc(3)), "WIRE_BROKEN"],
    ["has an exit that is not JSON", encodeFrame(frameTypes.exit, Buffer.from("{")), "WIRE_BROKEN"],
    [
      "has an exit code of 4096",
      encodeFrame(frameTypes.exit, Buffer.from('{"code":4096,"timedOut":false,"durationMs":1}')),
      "WIRE_BROKEN",
    ],
  ])("that %s fails it", async (_what, bytes, code) => {
    await using server = await startHttp2Server((stream) => {
      stream.respond({ ":status": 200 });
      stream.end(bytes);
    });
    expect(await failureOf(server, requests.exec)).toBe(code);
  });

  it("that floods on after the command's limit is cut", async () => {
    await using server = await startHttp2Server((stream) => {
      stream.respond({ ":status": 200 });
      pour(stream, encodeFrame(frameTypes.stdout, Buffer.alloc(65_536)));
    });
    const failure = failureOf(server, (client) => {
      return drain(client.exec(start, { overtimeMs: 200 }).output());
    });
    expect(await failure).toBe("TIMEOUT");
  });

  it("that goes silent at the command's limit is cut", async () => {
    await using server = await startHttp2Server((stream) => stream.respond({ ":status": 200 }));
    const failure = failureOf(server, (client) => {
      return drain(client.exec(start, { overtimeMs: 200 }).output());
    });
    expect(await failure).toBe("TIMEOUT");
  });
});

/** Sends the same bytes for as long as they are taken. */
function pour(stream: ServerHttp2Stream, bytes: Buffer = Buffer.alloc(65_536, "x")): void {
  const more = (): void => {
    while (!stream.destroyed && stream.write(bytes));
  };
  stream.on("drain", more);
  more();
}

function flood(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200 });
  pour(stream);
}

function dribble(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200 });
  const timer = setInterval(() => stream.write(" "), 5);
  stream.once("close", () => clearInterval(timer));
}
