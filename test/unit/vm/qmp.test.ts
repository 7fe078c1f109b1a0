import type { Duplex } from "node:stream";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { QmpClient } from "../../../src/vm/backends/qemu/qmp.ts";
import { createDuplexPair } from "../../support/duplex-pair.ts";

const greeting = '{"QMP": {"version": {}, "capabilities": []}}\n';

interface Ask {
  readonly execute: string;
  readonly arguments?: unknown;
  readonly id: number;
}

/** A client, and a hypervisor that answers each command as the test says. */
function create(answer: (ask: Ask, far: Duplex) => string | undefined): {
  client: QmpClient;
  far: Duplex;
  asked: string[];
} {
  const [near, far] = createDuplexPair();
  const asked: string[] = [];
  let partial = "";
  far.on("data", (chunk: Buffer) => {
    const lines = (partial + chunk.toString()).split("\n");
    partial = lines.pop() ?? "";
    for (const line of lines) {
      const ask = JSON.parse(line) as Ask;
      asked.push(ask.execute);
      const said = answer(ask, far);
      if (said !== undefined) far.write(said);
    }
  });
  return { client: new QmpClient(near), far, asked };
}

const obey = ({ id }: Ask): string => `${JSON.stringify({ return: { done: true }, id })}\n`;

describe("QEMU's control protocol", () => {
  it("is negotiated once, before the first command", async () => {
    const { client, far, asked } = create(obey);
    far.write(greeting);
    await client.ready(1000);
    expect(await client.execute("query-status")).toEqual({ done: true });
    await client.execute("quit");
    expect(asked).toEqual(["qmp_capabilities", "query-status", "quit"]);
  });

  it("sends what is asked before the greeting, and waits for it as long as it takes", async () => {
    vi.useFakeTimers();
    try {
      const { client, far, asked } = create(obey);
      const answers = Promise.all(["one", "two"].map((name) => client.execute(name)));
      await vi.advanceTimersByTimeAsync(8_000);
      expect(asked).toEqual(["qmp_capabilities", "one", "two"]);
      far.write(greeting);
      expect(await answers).toEqual([{ done: true }, { done: true }]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("gives each command its own answer, in whatever order and chunks they come", async () => {
    const run = async (sizes: readonly number[], reversed: boolean): Promise<void> => {
      const said: string[] = [];
      const { client, far } = create(({ id, execute }) => {
        if (execute === "qmp_capabilities") return `{"return": {}, "id": ${id}}\n`;
        said.push(`{"return": "${execute} ü", "id": ${id}}\r\n{"event": "STOP"}\n\n`);
        if (said.length < 3) return undefined;
        const bytes = Buffer.from((reversed ? said.toReversed() : said).join(""));
        let at = 0;
        for (const size of [...sizes, bytes.length]) {
          far.write(bytes.subarray(at, at + size));
          at += size;
        }
        return undefined;
      });
      far.write(greeting);
      const names = ["one", "two", "three"];
      const answers = await Promise.all(names.map((name) => client.execute(name)));
      expect(answers).toEqual(names.map((name) => `${name} ü`));
    };
    const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 20 });
    await fc.assert(fc.asyncProperty(sizes, fc.boolean(), run), { numRuns: 50 });
  });

  it("passes a refusal on, in QEMU's words", async () => {
    const { client, far } = create(({ id, execute }) =>
      execute === "qmp_capabilities"
        ? `{"return": {}, "id": ${id}}\n`
        : `{"error": {"class": "GenericError", "desc": "no such device"}, "id": ${id}}\n`,
    );
    far.write(greeting);
    await expect(client.execute("eject")).rejects.toMatchObject({
      code: "PROCESS_FAILED",
      message: "the hypervisor refused: no such device",
      details: { kind: "GenericError" },
    });
  });

  it.each([
    ["no JSON", "hello\n"],
    ["JSON that is no object", "7\n"],
    ["a message of the wrong shape", '{"id": "one"}\n'],
    ["an error without words", '{"error": "no", "id": 1}\n'],
    ["JSON nested without end", `${"[".repeat(100_000)}\n`],
  ])("is given up when QEMU sends %s", async (_what, line) => {
    const { client, far } = create(() => line);
    far.write(greeting);
    await expect(client.execute("query-status")).rejects.toMatchObject({
      code: "PROCESS_FAILED",
      message: "the hypervisor sent a line that is not its protocol",
    });
  });

  it("is given up at a line without end", async () => {
    const { client, far } = create(() => "x".repeat(1024 * 1024 + 1));
    far.write(greeting);
    await expect(client.execute("query-status")).rejects.toMatchObject({
      message: "the hypervisor sent a line without end",
    });
  });

  it("takes a long line a byte at a time without reading it again and again", async () => {
    const { client, far } = create(() => undefined);
    far.write(greeting);
    await client.ready(1000);
    const startedAt = performance.now();
    const failed = expect(client.execute("query-status")).rejects.toMatchObject({
      message: "the hypervisor sent a line that is not its protocol",
    });
    for (let count = 0; count < 200_000; count++) far.write("x");
    far.write("\n");
    await failed;
    expect(performance.now() - startedAt).toBeLessThan(4_000);
  });

  it("ends every wait when QEMU closes the channel", async () => {
    const { client, far } = create(() => undefined);
    far.write(greeting);
    await client.ready(1000);
    const asking = client.execute("query-status");
    far.destroy();
    far.push(null);
    (far as unknown as { other: Duplex }).other.destroy();
    await expect(asking).rejects.toMatchObject({
      code: "PROCESS_FAILED",
      message: "the hypervisor closed its control channel",
    });
    await expect(client.execute("quit")).rejects.toMatchObject({ code: "PROCESS_FAILED" });
  });

  it("ends a command that waits for a greeting which never comes", async () => {
    const { client, far } = create(() => undefined);
    const asking = client.execute("quit");
    (far as unknown as { other: Duplex }).other.destroy();
    await expect(asking).rejects.toMatchObject({ code: "PROCESS_FAILED" });
  });

  it("is not ready without a greeting", async () => {
    const { client } = create(() => undefined);
    await expect(client.ready(10)).rejects.toMatchObject({ code: "TIMEOUT" });
    const over = new AbortController();
    const waiting = client.ready(10_000, over.signal);
    over.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });

  it("lets an answer that comes too late pass by", async () => {
    vi.useFakeTimers();
    try {
      const asks: Ask[] = [];
      const { client, far } = create((ask) => {
        if (ask.execute !== "slow") return obey(ask);
        asks.push(ask);
        return undefined;
      });
      far.write(greeting);
      await client.execute("first");
      const late = expect(client.execute("slow")).rejects.toMatchObject({ code: "TIMEOUT" });
      await vi.advanceTimersByTimeAsync(5_001);
      await late;
      for (const ask of asks) far.write(obey(ask));
      expect(await client.execute("next")).toEqual({ done: true });
    } finally {
      vi.useRealTimers();
    }
  });
});
