import { once } from "node:events";
import http2 from "node:http2";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { PausableClock } from "../../../src/base/clock.ts";
import { withDeadline } from "../../../src/base/deadline.ts";
import { startFakeGuest } from "../../../src/wire/fake-guest.ts";
import type { WireClient } from "../../../src/wire/wire-client.ts";
import { WireClient as Client } from "../../../src/wire/wire-client.ts";
import { makeTempDir } from "../../support/make-tree.ts";
import { problem, respond, startRawGuest } from "../../support/raw-guest.ts";
import type { RawAnswer } from "../../support/raw-guest.ts";
import { wirePathIn } from "../../support/wire-path.ts";

const info = {
  protocol: 1,
  agent: "0.1.0",
  kernel: "6.1.0",
  bootId: "b",
  hostname: "vm-00001",
  uptimeMs: 12,
  resumes: 0,
};

/** Each call that waits for an answer of the guest, once. */
const calls: readonly (readonly [string, (client: WireClient) => Promise<unknown>])[] = [
  ["info", (client) => client.info()],
  ["resume", (client) => client.resume("vm-00001")],
  ["readFile", (client) => client.readFile("/x")],
  ["writeFile", (client) => client.writeFile("/x", "data")],
  ["sendTar", (client) => client.sendTar("/x", Readable.from([Buffer.alloc(1024)]))],
  ["receiveTar", (client) => buffer(client.receiveTar("/x"))],
  ["connectPort", (client) => client.connectPort(80)],
  ["quiesce", (client) => client.quiesce()],
  ["scrub", (client) => client.scrub()],
  ["shutdown", (client) => client.shutdown()],
];

async function callWith(
  answer: RawAnswer,
  call: (client: WireClient) => Promise<unknown>,
): Promise<unknown> {
  await using guest = await startRawGuest(answer);
  return await call(guest.client).catch((error: unknown) => error);
}

describe.each(calls)("%s", (_name, call) => {
  it("tells the guest's own words when it refuses", async () => {
    expect(await callWith(problem(404, "not-found", "no such file: /x"), call)).toMatchObject({
      code: "GUEST_REFUSED",
      message: "the machine refused: no such file: /x",
      details: { status: 404, code: "not-found" },
    });
  });

  it("does without words when the guest's refusal has none", async () => {
    expect(await callWith(respond(500, "<html>"), call)).toMatchObject({
      code: "GUEST_REFUSED",
      details: { status: 500, code: "unknown" },
    });
  });

  it("fails when the guest resets its stream", async () => {
    expect(await callWith((stream) => stream.close(2), call)).toMatchObject({
      code: "WIRE_BROKEN",
    });
  });

  it("fails when the wire is cut", async () => {
    expect(await callWith((stream) => stream.session?.destroy(), call)).toMatchObject({
      code: "WIRE_BROKEN",
    });
  });

  it("fails at once when the wire is closed already", async () => {
    await using guest = await startRawGuest(() => undefined);
    guest.client.close();
    await expect((async () => call(guest.client))()).rejects.toMatchObject({ code: "WIRE_BROKEN" });
  });
});

describe.each(
  calls.filter(([name]) => ["info", "resume", "quiesce", "scrub", "sendTar"].includes(name)),
)("%s", (_name, call) => {
  it.each(["", "nothing", "[]", "null", "{}", '{"protocol":2}', '{"killed":"all"}'])(
    "refuses the answer %j",
    async (body) => {
      expect(await callWith(respond(200, body), call)).toMatchObject({ code: "WIRE_BROKEN" });
    },
  );
});

describe("the wire's client", () => {
  it("gives the guest's information as it came", async () => {
    expect(await callWith(respond(200, JSON.stringify(info)), (it) => it.info())).toEqual(info);
  });

  it("refuses a JSON answer over 1 MiB", async () => {
    const endless = JSON.stringify({ ...info, agent: "a".repeat(2 * 1024 * 1024) });
    expect(await callWith(respond(200, endless), (it) => it.info())).toMatchObject({
      code: "WIRE_LIMIT",
    });
  });

  it("refuses a file that is larger than it may be", async () => {
    const answer = respond(200, Buffer.alloc(1001));
    expect(await callWith(answer, (it) => it.readFile("/x", { bytesMax: 1000 }))).toMatchObject({
      code: "WIRE_LIMIT",
      details: { bytesMax: 1000 },
    });
  });

  it("names a path so that no character of it means anything", async () => {
    await using guest = await startRawGuest(respond(200, ""));
    await guest.client.readFile("/a b&mode=7?#é");
    expect(guest.requests).toEqual(["GET /v1/file?path=%2Fa+b%26mode%3D7%3F%23%C3%A9"]);
  });

  it("writes a file with its mode, as the machine's user", async () => {
    const bodies: Promise<Buffer>[] = [];
    await using guest = await startRawGuest(async (stream) => {
      const body = buffer(stream);
      bodies.push(body);
      await body;
      stream.respond({ ":status": 200 });
      stream.end("{}");
    });
    await guest.client.writeFile("/x", "text", { mode: 0o755 });
    expect(guest.requests).toEqual(["PUT /v1/file?path=%2Fx&mode=0755&uid=1000&gid=1000"]);
    expect((await bodies[0])?.toString()).toBe("text");
  });

  it("gives each machine time, entropy and a name of its own", async () => {
    const bodies: Record<string, string>[] = [];
    await using guest = await startRawGuest(async (stream) => {
      bodies.push(JSON.parse((await buffer(stream)).toString()) as Record<string, string>);
      stream.respond({ ":status": 200 });
      stream.end(JSON.stringify(info));
    });
    await guest.client.resume("vm-00001");
    await guest.client.resume("vm-00002");
    const [one, other] = bodies;
    expect(one?.["hostname"]).toBe("vm-00001");
    expect(one?.["machineId"]).toMatch(/^[0-9a-f]{32}$/);
    expect(Buffer.from(one?.["entropy"] ?? "", "base64")).toHaveLength(256);
    expect(Number(BigInt(one?.["unixNanos"] ?? 0) / 1_000_000n)).toBeCloseTo(Date.now(), -4);
    expect(other?.["machineId"]).not.toBe(one?.["machineId"]);
    expect(other?.["entropy"]).not.toBe(one?.["entropy"]);
  });

  it("tells why a tar's source failed, and not that the wire did", async () => {
    await using guest = await startRawGuest((stream) => void stream.resume());
    const reason = new Error("the file went away");
    const source = Readable.from(
      (async function* () {
        yield await Promise.resolve(Buffer.alloc(1024));
        throw reason;
      })(),
    );
    await expect(guest.client.sendTar("/x", source)).rejects.toBe(reason);
  });

  it("cuts a tar that comes out when the guest resets it", async () => {
    const answer: RawAnswer = (stream) => {
      stream.respond({ ":status": 200 });
      stream.write(Buffer.alloc(1024), () => stream.destroy(new Error("cut")));
    };
    expect(await callWith(answer, (it) => buffer(it.receiveTar("/x")))).toMatchObject({
      code: "WIRE_BROKEN",
    });
  });

  it("ends a request with the caller's own reason", async () => {
    await using guest = await startRawGuest(() => undefined);
    const over = new AbortController();
    const reason = new Error("enough");
    const asking = guest.client.info({ signal: over.signal });
    setImmediate(() => over.abort(reason));
    await expect(asking).rejects.toBe(reason);
  });

  it("carries bytes both ways to a port", async () => {
    await using guest = await startRawGuest((stream) => {
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
    });
    const port = await guest.client.connectPort(8080);
    port.end("echo");
    expect((await buffer(port)).toString()).toBe("echo");
    expect(guest.requests).toEqual(["CONNECT 127.0.0.1:8080"]);
  });
});

describe("the fake guest", () => {
  it("keeps files, knows nothing of tar and ports, and ends when it is asked to", async () => {
    using temp = makeTempDir();
    const socketPath = wirePathIn(temp.path);
    const guest = await startFakeGuest(socketPath);
    const client = await Client.connect(socketPath);
    const before = await client.info();
    const after = await client.resume("vm-0abcd");
    expect(after).toMatchObject({ hostname: "vm-0abcd", resumes: before.resumes + 1 });
    expect(after.bootId).not.toBe(before.bootId);
    await client.writeFile("/deep/file", "text");
    expect((await client.readFile("/deep/file")).toString()).toBe("text");
    await expect(client.readFile("/other")).rejects.toMatchObject({ code: "GUEST_REFUSED" });
    await expect(buffer(client.receiveTar("/"))).rejects.toMatchObject({ code: "GUEST_REFUSED" });
    await expect(client.connectPort(80)).rejects.toMatchObject({ code: "GUEST_REFUSED" });
    expect(await client.quiesce()).toBe(0);
    expect(await client.scrub()).toBe(0);
    await client.shutdown();
    await guest.ended;
  });
});

describe("a guest that is frozen", () => {
  it("is waited for as long as its clock stands still, and no longer", async () => {
    const temp = makeTempDir();
    const socketPath = wirePathIn(temp.path);
    const server = http2.createServer();
    server.on("stream", (stream) => stream.on("error", () => undefined)); // never answers
    server.listen(socketPath);
    await once(server, "listening");
    const clock = new PausableClock();
    const client = Client.open(socketPath, clock);
    clock.setPaused(true);
    const options = { timeoutMs: 20 };
    const waits = [
      client.info(options),
      client.readFile("/x", options),
      client.quiesce(options),
      client
        .exec({ argv: ["true"] }, options)
        .output()
        .next(),
    ];
    let settled = 0;
    for (const wait of waits) void wait.catch(() => (settled += 1));
    // a wait that is counted on the host's clock ends after 20 ms, before this one
    const late = withDeadline(new Promise(() => undefined), { timeoutMs: 200, what: "nothing" });
    await expect(late).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(settled).toBe(0);
    clock.setPaused(false);
    for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: "TIMEOUT" });
    client.close();
    server.close();
    temp[Symbol.dispose]();
  });
});
