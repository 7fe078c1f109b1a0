/** A supervisor's socket over a fake machine: many clients on the one wire, and what it keeps to itself. */
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serveSupervisor } from "../../../src/runtime/kept/supervisor-server.ts";
import type { SupervisorServer } from "../../../src/runtime/kept/supervisor-server.ts";
import type { Machine } from "../../../src/runtime/machine.ts";
import { WireClient } from "../../../src/wire/wire-client.ts";
import { createDryLumina } from "../../support/dry-lumina.ts";
import type { DryLumina } from "../../support/dry-lumina.ts";

let dry: DryLumina;
let machine: Machine;
let server: SupervisorServer;
let socketPath: string;
let stops: number;

beforeEach(async () => {
  dry = await createDryLumina();
  machine = await dry.lumina.spawn();
  socketPath = join(dry.folder, "supervisor.sock");
  stops = 0;
  const stop = (): Promise<void> => {
    stops += 1;
    return Promise.resolve();
  };
  server = await serveSupervisor({ socketPath, name: "dev", machine, stop });
});
afterEach(async () => {
  await server.close();
  await dry[Symbol.asyncDispose]();
});

function connect(): Promise<WireClient> {
  return WireClient.connect(socketPath, { timeoutMs: 5_000 });
}

/** One request as any program of this user could make it. */
async function ask(
  method: string,
  path: string,
  body = "",
): Promise<{ status: number; text: string }> {
  const session = http2.connect("http://localhost", {
    createConnection: () => net.connect(socketPath),
  });
  try {
    const endStream = body === "";
    const stream = session.request({ ":method": method, ":path": path }, { endStream });
    if (!endStream) stream.end(body);
    const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
    let text = "";
    for await (const chunk of stream) text += String(chunk);
    return { status: Number(headers[":status"]), text };
  } finally {
    session.destroy();
  }
}

describe("a supervisor's socket", () => {
  it("serves many clients at once over the one wire of its machine", async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, connect));
    await Promise.all(
      clients.map(async (client, at) => {
        const bytes = Buffer.alloc(200_000, at);
        await client.writeFile(`/tmp/${String(at)}`, bytes);
        expect((await client.readFile(`/tmp/${String(at)}`)).equals(bytes)).toBe(true);
      }),
    );
    for (const client of clients) client.close();
  });

  it.each([
    ["POST", "/v1/resume"],
    ["POST", "/v1/resume?x=1"],
    ["POST", "/v1/shutdown"],
    ["GET", "/supervisor"],
    ["GET", "/supervisor/other"],
    ["GET", "/"],
  ])("keeps %s %s to itself", async (method, path) => {
    const { status, text } = await ask(method, path);
    expect(status).toBe(404);
    expect(JSON.parse(text)).toMatchObject({ code: "USAGE" });
  });

  it("answers its own paths, and what it cannot do with a reason", async () => {
    const { text } = await ask("GET", "/supervisor/status");
    expect(JSON.parse(text)).toMatchObject({ name: "dev", machine: machine.id, canBeSaved: false });
    const folder = JSON.stringify({ folder: dry.folder });
    expect((await ask("POST", "/supervisor/save", folder)).status).toBe(500);
    expect((await ask("POST", "/supervisor/save", "{")).status).toBe(500);
    expect((await ask("POST", "/supervisor/save", "x".repeat(100_000))).status).toBe(500);
    expect((await ask("POST", "/supervisor/stop")).status).toBe(200);
    expect(stops).toBe(1);
  });

  it("loses a client that speaks garbage, and no other", async () => {
    const client = await connect();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        const socket = net.connect(socketPath);
        socket.on("error", () => undefined);
        socket.end(bytes);
        socket.resume();
        await once(socket, "close");
        expect((await client.info()).protocol).toBe(1);
      }),
      { numRuns: 30 },
    );
    client.close();
  });

  it("forgets a request whose client went away", async () => {
    const client = await connect();
    const other = await connect();
    const pending = client
      .exec({ argv: ["sleep", "60"], cwd: "/" })
      .output()
      .next();
    pending.catch(() => undefined);
    const streams = async (): Promise<number> =>
      (JSON.parse((await ask("GET", "/supervisor/status")).text) as { streams: number }).streams;
    await expect.poll(streams).toBe(1);
    client.close();
    await expect.poll(streams).toBe(0);
    expect((await other.info()).protocol).toBe(1);
    other.close();
  });
});
