import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { meetWire } from "../../../src/vm/backends/qemu/meet-wire.ts";
import { makeTempDir } from "../../support/make-tree.ts";

/** A hypervisor's end of the wire, which says that it took the connection when it is asked often enough. */
async function listen(path: string, asksBefore = 0) {
  const taken: net.Socket[] = [];
  const server = net.createServer((socket) => taken.push(socket));
  server.listen(path);
  await once(server, "listening");
  let asked = 0;
  return {
    taken,
    asked: () => asked,
    control: {
      execute: (command: string): Promise<unknown> => {
        asked += 1;
        const isMet = command === "query-chardev" && taken.length > 0 && asked > asksBefore;
        const filename = `${isMet ? "" : "disconnected:"}unix:${path},server=on`;
        return Promise.resolve([
          { label: "console", filename: "stdio" },
          { label: "wire", filename },
        ]);
      },
    },
    [Symbol.dispose]: () => {
      for (const socket of taken) socket.destroy();
      server.close();
    },
  };
}

// no Unix sockets in Node for Windows, where the wire is another
describe.skipIf(process.platform === "win32")("the wire of a machine that had a host", () => {
  it("is there when the hypervisor has taken the connection, not before", async () => {
    using temp = makeTempDir();
    using hypervisor = await listen(join(temp.path, "wire"), 3);
    const place = await meetWire(join(temp.path, "wire"), hypervisor.control);
    expect(hypervisor.asked()).toBe(4);
    expect(place).toBeTypeOf("function");
  });

  it("is that connection the first time, and a new one from then on", async () => {
    using temp = makeTempDir();
    using hypervisor = await listen(join(temp.path, "wire"));
    const place = await meetWire(join(temp.path, "wire"), hypervisor.control);
    if (typeof place === "string") throw new Error("it has a connection already");
    place().write("first");
    expect(String(await once(hypervisor.taken[0] as net.Socket, "data"))).toBe("first");
    place().write("second");
    while (hypervisor.taken.length < 2) await new Promise(setImmediate);
    expect(String(await once(hypervisor.taken[1] as net.Socket, "data"))).toBe("second");
  });

  it("is not waited for once nobody is at its other end", async () => {
    using temp = makeTempDir();
    using hypervisor = await listen(join(temp.path, "wire"), Infinity);
    const met = meetWire(join(temp.path, "wire"), hypervisor.control);
    while (hypervisor.taken.length === 0) await new Promise(setImmediate);
    hypervisor.taken[0]?.destroy();
    await expect(met).rejects.toMatchObject({ code: "WIRE_BROKEN" });
  });

  it("fails where nobody listens", async () => {
    using temp = makeTempDir();
    const control = { execute: () => Promise.reject(new Error("it is not asked")) };
    await expect(meetWire(join(temp.path, "wire"), control)).rejects.toThrow("ENOENT");
  });

  it("is given up when the caller does", async () => {
    using temp = makeTempDir();
    using hypervisor = await listen(join(temp.path, "wire"), Infinity);
    const met = meetWire(join(temp.path, "wire"), hypervisor.control, {
      signal: AbortSignal.abort("enough"),
    });
    await expect(met).rejects.toBe("enough");
  });
});
