import { existsSync, readFileSync } from "node:fs";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import { loopbackNames, openLoopback } from "../../../src/vm/backends/qemu/loopback.ts";
import type { Loopback } from "../../../src/vm/backends/qemu/loopback.ts";
import { makeTempDir } from "../../support/make-tree.ts";

function readKeys(folder: string): ReadonlyMap<string, string> {
  const lines = readFileSync(join(folder, "keys.psk"), "latin1").trim().split("\n");
  return new Map(lines.map((line) => line.split(":") as [string, string]));
}

/** As QEMU does it. */
async function dial(port: number, identity: string, key: string): Promise<TLSSocket> {
  const socket = connect({
    ...{ host: "127.0.0.1", port, maxVersion: "TLSv1.2" },
    ciphers: "ECDHE-PSK-CHACHA20-POLY1305",
    checkServerIdentity: () => undefined,
    pskCallback: () => ({ identity, psk: Buffer.from(key, "hex") }),
  });
  await once(socket, "secureConnect");
  return socket;
}

async function dialAll(folder: string, { address }: Loopback): Promise<readonly TLSSocket[]> {
  const keys = readKeys(folder);
  return Promise.all(loopbackNames.map((name) => dial(address.port, name, keys.get(name) ?? "")));
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

describe("channels over the loopback interface", () => {
  it("carry bytes both ways, each under its own name", async () => {
    using temp = makeTempDir();
    const loopback = await openLoopback(temp.path);
    const sockets = await dialAll(temp.path, loopback);
    for (const [at, name] of loopbackNames.entries()) {
      const [channel, socket] = [await loopback.channels[name], sockets[at]];
      socket?.write(`to ${name}`);
      expect(String((await once(channel, "data"))[0])).toBe(`to ${name}`);
      channel.write("x");
      expect(String((await once(socket ?? channel, "data"))[0])).toBe("x");
    }
    loopback.close();
  });

  it("leave no key and no listener behind when all are there", async () => {
    using temp = makeTempDir();
    const loopback = await openLoopback(temp.path);
    const port = loopback.address.port;
    expect(await isListening(port)).toBe(true);
    await dialAll(temp.path, loopback);
    await Promise.all(Object.values(loopback.channels));
    await expect.poll(() => isListening(port)).toBe(false);
    await expect.poll(() => existsSync(join(temp.path, "keys.psk"))).toBe(false);
    loopback.close();
  });

  it.each([
    ["another key", "control", "00".repeat(32)],
    ["a name that there is not", "monitor", "00".repeat(32)],
  ])("refuse whoever has %s, and take the right one after it", async (_what, name, key) => {
    using temp = makeTempDir();
    const loopback = await openLoopback(temp.path);
    await expect(dial(loopback.address.port, name, key)).rejects.toThrow();
    await dialAll(temp.path, loopback);
    await Promise.all(Object.values(loopback.channels));
    loopback.close();
  });

  it("take a key once", async () => {
    using temp = makeTempDir();
    const loopback = await openLoopback(temp.path);
    const key = readKeys(temp.path).get("wire") ?? "";
    await dial(loopback.address.port, "wire", key);
    await loopback.channels.wire;
    await expect(dial(loopback.address.port, "wire", key)).rejects.toThrow();
    loopback.close();
  });

  it("are not kept from QEMU by strangers who say nothing, or nonsense", async () => {
    using temp = makeTempDir();
    const loopback = await openLoopback(temp.path);
    const strangers = [1, 2, 3].map(() => net.connect(loopback.address.port, "127.0.0.1"));
    for (const stranger of strangers) {
      stranger.on("error", () => undefined);
      stranger.write("GET / HTTP/1.1\r\n\r\n");
    }
    await dialAll(temp.path, loopback);
    await Promise.all(Object.values(loopback.channels));
    for (const stranger of strangers) stranger.destroy();
    loopback.close();
  });

  it("send each byte of the control channel as a record of its own", async () => {
    using temp = makeTempDir();
    const loopback = await openLoopback(temp.path);
    const sockets = await dialAll(temp.path, loopback);
    const socket = sockets[loopbackNames.indexOf("control")];
    const sizes: number[] = [];
    socket?.on("data", (chunk: Buffer) => sizes.push(chunk.length));
    const channel = await loopback.channels.control;
    channel.write('{"execute":"stop"}\n');
    await expect.poll(() => sizes.length).toBe(19);
    expect(new Set(sizes)).toEqual(new Set([1]));
    loopback.close();
  });

  it("fail for whoever waits when they are closed before QEMU came", async () => {
    using temp = makeTempDir();
    const loopback = await openLoopback(temp.path);
    loopback.close();
    await expect(loopback.channels.wire).rejects.toMatchObject({ code: "VM_BOOT_FAILED" });
  });
});
