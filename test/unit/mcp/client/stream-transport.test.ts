import { PassThrough } from "node:stream";
import type { Duplex } from "node:stream";
import type { JSONRPCMessage } from "@modelcontextprotocol/client";
import { describe, expect, it } from "vitest";
import { StreamTransport } from "../../../../src/mcp/client/stream-transport.ts";
import { createDuplexPair } from "../../../support/duplex-pair.ts";
import { eventually } from "../../../support/eventually.ts";

interface Ears {
  readonly messages: JSONRPCMessage[];
  readonly errors: Error[];
  closes: number;
}

function listen(transport: StreamTransport): Ears {
  const ears: Ears = { messages: [], errors: [], closes: 0 };
  transport.onmessage = (message) => ears.messages.push(message);
  transport.onerror = (error) => ears.errors.push(error);
  transport.onclose = () => (ears.closes += 1);
  return ears;
}

async function overPair(): Promise<{ transport: StreamTransport; peer: Duplex; ears: Ears }> {
  const [stream, peer] = createDuplexPair();
  const transport = new StreamTransport({ readable: stream, writable: stream });
  const ears = listen(transport);
  await transport.start();
  return { transport, peer, ears };
}

const ping = (id: number): JSONRPCMessage => ({ jsonrpc: "2.0", id, method: "ping" });

describe("a transport over a stream", () => {
  it("carries messages both ways, two of them to each other", async () => {
    const [one, other] = createDuplexPair();
    const here = new StreamTransport({ readable: one, writable: one });
    const there = new StreamTransport({ readable: other, writable: other });
    const ears = listen(here);
    there.onmessage = (message) => void there.send(message);
    await Promise.all([here.start(), there.start()]);
    await Promise.all([here.send(ping(1)), here.send(ping(2))]);
    await eventually("both", () => ears.messages.length === 2);
    expect(ears.messages).toEqual([ping(1), ping(2)]);
    await Promise.all([here.close(), there.close()]);
    expect(ears.closes).toBe(1);
  });

  it("is read from its first byte, and from strings too", async () => {
    const readable = new PassThrough({ encoding: "utf8" });
    readable.write(`${JSON.stringify(ping(7))}\n`);
    const transport = new StreamTransport({ readable, writable: new PassThrough() });
    const ears = listen(transport);
    await transport.start();
    await eventually("what was there", () => ears.messages.length === 1);
  });

  it("closes when the other side ends, after its last message, and sends no more", async () => {
    const { transport, peer, ears } = await overPair();
    peer.end(`${JSON.stringify(ping(1))}\n{"half":`);
    await eventually("the end", () => ears.closes === 1);
    expect(ears.messages).toEqual([ping(1)]);
    expect(ears.errors).toEqual([]);
    await expect(transport.send(ping(2))).rejects.toMatchObject({ code: "MCP_TRANSIENT" });
  });

  it("closes with an error when the stream fails", async () => {
    const [stream] = createDuplexPair();
    const transport = new StreamTransport({ readable: stream, writable: stream });
    const ears = listen(transport);
    await transport.start();
    stream.destroy(new Error("cut"));
    await eventually("the end", () => ears.closes === 1);
    expect(ears.errors).toEqual([new Error("cut")]);
    await transport.close();
    expect(ears.closes).toBe(1);
  });

  it("is closed at once over a stream that is gone", async () => {
    const [stream] = createDuplexPair();
    stream.destroy();
    const transport = new StreamTransport({ readable: stream, writable: stream });
    const ears = listen(transport);
    await transport.start();
    expect(ears.closes).toBe(1);
  });

  it("reports a reader that throws, and reads on", async () => {
    const { transport, peer, ears } = await overPair();
    const seen: JSONRPCMessage[] = [];
    transport.onmessage = (message) => {
      seen.push(message);
      throw new Error(`cannot digest ${seen.length}`);
    };
    for (const id of [1, 2]) peer.write(`${JSON.stringify(ping(id))}\n`);
    await eventually("both", () => seen.length === 2);
    expect(ears.errors).toEqual([new Error("cannot digest 1"), new Error("cannot digest 2")]);
    expect(ears.closes).toBe(0);
  });

  it("hands over nothing after it was closed in mid-chunk", async () => {
    const { transport, peer, ears } = await overPair();
    transport.onmessage = (message) => {
      ears.messages.push(message);
      void transport.close();
    };
    peer.write(`${JSON.stringify(ping(1))}\n${JSON.stringify(ping(2))}\nnoise\n`);
    await eventually("the end", () => ears.closes === 1);
    await transport.close();
    expect(ears.messages).toEqual([ping(1)]);
  });

  it("still reads what was answered when nothing can be sent any more", async () => {
    const readable = new PassThrough();
    const writable = new PassThrough();
    let ends = 0;
    const end = (): Promise<void> => {
      ends += 1;
      readable.end();
      return Promise.resolve();
    };
    const transport = new StreamTransport({ readable, writable, end });
    const ears = listen(transport);
    await transport.start();
    readable.write(`${JSON.stringify(ping(1))}\n`);
    writable.destroy(new Error("broken pipe"));
    await eventually("the end", () => ears.closes === 1);
    expect(ears.messages).toEqual([ping(1)]);
    expect(ears.errors).toEqual([new Error("broken pipe")]);
    await transport.close();
    expect(ends).toBe(1);
  });

  it("reports that the other side cannot be ended", async () => {
    const readable = new PassThrough();
    const end = (): Promise<never> => Promise.reject(new Error("it stays"));
    const transport = new StreamTransport({ readable, writable: new PassThrough(), end });
    const ears = listen(transport);
    await transport.start();
    await expect(transport.close()).rejects.toThrow("it stays");
    expect(ears.errors).toEqual([new Error("it stays")]);
  });
});
