import { afterEach, describe, expect, it } from "vitest";
import { connectStdio } from "../../../../../src/mcp/client/stdio/connect-stdio.ts";
import type { ConnectedStdio } from "../../../../../src/mcp/client/stdio/connect-stdio.ts";
import { describeEnd } from "../../../../../src/mcp/client/stdio/describe-end.ts";
import { StdioConnector } from "../../../../../src/mcp/client/stdio/stdio-connector.ts";
import type {
  StdioConnectorOptions,
  StdioEvent,
} from "../../../../../src/mcp/client/stdio/stdio-connector.ts";
import type { StdioServer } from "../../../../../src/mcp/client/stdio/stdio-transport.ts";
import { eventually } from "../../../../support/eventually.ts";
import { areGone, listFamily } from "../../../../support/host-process.ts";
import {
  callForText,
  createClient,
  scriptedServer,
  sdkServer,
} from "../../../../support/mcp/servers.ts";

const made: StdioConnector[] = [];
afterEach(async () => {
  await Promise.all(made.splice(0).map((connector) => connector.close()));
});

/** A connector whose time is told by hand, and which waits no longer than it takes to say so. */
function createConnector(
  server: StdioServer,
  options: Partial<StdioConnectorOptions> = {},
): { connector: StdioConnector; events: StdioEvent[]; time: { ms: number } } {
  const events: StdioEvent[] = [];
  const time = { ms: 0 };
  const connector = new StdioConnector({
    ...server,
    name: "files",
    graceMs: 200,
    onEvent: (event) => events.push(event),
    clock: { now: () => time.ms },
    random: () => 0.5,
    wait: (ms) => {
      time.ms += ms;
      return Promise.resolve();
    },
    ...options,
  });
  made.push(connector);
  return { connector, events, time };
}

function connect(connector: StdioConnector, signal?: AbortSignal): Promise<ConnectedStdio> {
  return connectStdio(connector, { createClient, timeoutMs: 10_000, signal });
}

const kinds = (events: readonly StdioEvent[]): string[] => events.map(({ kind }) => kind);

describe("a server that is kept alive", () => {
  it("is a fresh child at each opening, and the one before is ended", async () => {
    const { connector, events } = createConnector(scriptedServer());
    const first = await connect(connector);
    const family = await listFamily(first.transport.pid!);
    const second = await connect(connector);
    await areGone(family, 1_000);
    expect(await callForText(second.client, "pid")).toBe(String(second.transport.pid));
    await connector.close();
    const ended = events.filter((event) => event.kind === "ended");
    expect(ended.map(({ wasAsked }) => wasAsked)).toEqual([true, true]);
    expect(kinds(events)).toEqual(["started", "ended", "started", "ended"]);
  });

  it("is started again after a crash: at once, then after waits that grow", async () => {
    const { connector, events } = createConnector(scriptedServer());
    for (let crash = 0; crash < 4; crash += 1) {
      const { client } = await connect(connector);
      await expect(callForText(client, "crash")).rejects.toThrow();
    }
    await connect(connector);
    const waits = events.filter((event) => event.kind === "waiting");
    expect(waits.map(({ waitMs }) => waitMs)).toEqual([125, 250, 500]);
    expect(events).toContainEqual(
      expect.objectContaining({
        kind: "ended",
        exit: { exitCode: 7, signal: null },
        wasAsked: false,
      }),
    );
  });

  it("that ends again and again is left alone for a while, with its last words", async () => {
    const { connector, events, time } = createConnector(scriptedServer("dies-at-start"), {
      restart: { restartsMax: 2 },
    });
    for (let start = 0; start < 3; start += 1) {
      await expect(connect(connector)).rejects.toMatchObject({
        code: "MCP_TRANSIENT",
        message:
          "files did not connect: it ended with exit code 3: cannot open the \\x1b[31mdatabase\\x1b[0m",
        details: { delivery: "never", endpoint: "files" },
      });
    }
    await expect(connect(connector)).rejects.toMatchObject({
      code: "MCP_UNAVAILABLE",
      message: expect.stringMatching(
        /^files ends again and again: the last time it ended with exit code 3: cannot open the \\x1b/,
      ) as string,
      hint: "mend the server; it is not started again for 60 s",
      details: { delivery: "never", endpoint: "files" },
    });
    expect(connector.stderrTail()).toBe("cannot open the \\x1b[31mdatabase\\x1b[0m\n");
    expect(events.at(-1)).toEqual({ kind: "gave-up", restMs: expect.any(Number) as number });
    time.ms += 60_000;
    await expect(connect(connector)).rejects.toMatchObject({ code: "MCP_TRANSIENT" });
  });

  it("that is not there counts as one that ended", async () => {
    const { connector } = createConnector(
      { command: "no-such-server", env: {} },
      { restart: { restartsMax: 1 } },
    );
    for (let start = 0; start < 2; start += 1) {
      await expect(connector.open()).rejects.toMatchObject({ code: "TOOL_MISSING" });
    }
    await expect(connector.open()).rejects.toMatchObject({ code: "MCP_UNAVAILABLE" });
  });

  it("is not started for a caller who gave up, before, while or after it waited", async () => {
    const abort = new AbortController();
    const reason = new Error("no longer");
    const { connector, events } = createConnector(scriptedServer("dies-at-start"), {
      wait: (_ms, signal) => {
        abort.abort(reason);
        return Promise.reject(signal.reason as Error);
      },
    });
    for (let start = 0; start < 2; start += 1) await connect(connector).catch(() => undefined);
    events.length = 0;
    await expect(connector.open(abort.signal)).rejects.toBe(reason);
    await expect(connector.open(abort.signal)).rejects.toBe(reason);
    expect(kinds(events)).toEqual(["waiting"]);
  });

  it("waits on the host's clock unless it is told otherwise", async () => {
    const connector = new StdioConnector({
      ...scriptedServer("dies-at-start"),
      restart: { initialMs: 1 },
    });
    made.push(connector);
    expect(connector.name).toBe(process.execPath);
    for (let start = 0; start < 3; start += 1) {
      await expect(connect(connector)).rejects.toMatchObject({ code: "MCP_TRANSIENT" });
    }
  });

  it("is not started any more once it was closed", async () => {
    const { connector } = createConnector(scriptedServer());
    expect(connector.stderrTail()).toBe("");
    await connector.close();
    await expect(connector.open()).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("is ended when it was closed while it started", async () => {
    const { connector, events } = createConnector(scriptedServer("ignores-end"));
    const opening = connector.open();
    await connector.close();
    await expect(opening).rejects.toMatchObject({ code: "CANCELLED" });
    expect(kinds(events).filter((kind) => kind === "started")).toHaveLength(
      kinds(events).length / 2,
    );
  });
});

describe("the era of a server over stdio", () => {
  it("is modern where the server says so, and then need not be asked for again", async () => {
    const { connector } = createConnector(sdkServer());
    const { prior } = await connect(connector);
    expect(prior.kind).toBe("modern");
    const again = await connectStdio(connector, { createClient, timeoutMs: 10_000, prior });
    expect(again.prior).toEqual(prior);
    expect(await callForText(again.client, "echo", { words: "hi" })).toBe("hi");
  });

  it("is legacy where a server ends at the question: it is started again, and that does not count", async () => {
    const { connector, events } = createConnector(scriptedServer("exits-on-unknown"), {
      restart: { restartsMax: 1 },
    });
    for (let round = 0; round < 3; round += 1) {
      const { client, prior } = await connect(connector);
      expect(prior).toEqual({ kind: "legacy" });
      expect(await callForText(client, "echo", { words: "hi" })).toBe("hi");
    }
    expect(kinds(events)).not.toContain("waiting");
    const starts = kinds(events).filter((kind) => kind === "started").length;
    expect(starts).toBe(6);
    await connectStdio(connector, { createClient, timeoutMs: 10_000, prior: { kind: "legacy" } });
    expect(kinds(events).filter((kind) => kind === "started")).toHaveLength(7);
  });

  it("is legacy where a server does not answer the question", async () => {
    const { connector } = createConnector(scriptedServer("silent-on-unknown"));
    const quick = { mode: "auto", probe: { timeoutMs: 300 } } as const;
    const connected = await connectStdio(connector, {
      createClient: () => createClient({ versionNegotiation: quick }),
      timeoutMs: 10_000,
    });
    expect(connected.prior).toEqual({ kind: "legacy" });
    expect(await callForText(connected.client, "echo", { words: "hi" })).toBe("hi");
  });

  it("is not guessed where the client speaks one revision only", async () => {
    const { connector, events } = createConnector(scriptedServer("exits-on-unknown"));
    const pinned = { mode: { pin: "2026-07-28" } } as const;
    const connecting = connectStdio(connector, {
      createClient: () => createClient({ versionNegotiation: pinned }),
      timeoutMs: 10_000,
    });
    await expect(connecting).rejects.toMatchObject({ code: "MCP_TRANSIENT" });
    expect(kinds(events)).toEqual(["started", "ended"]);
  });

  it("is not waited for by a caller who gave up; the child is ended", async () => {
    const abort = new AbortController();
    const { connector, events } = createConnector(scriptedServer("deaf"));
    const connecting = connect(connector, abort.signal);
    await eventually("its start", () => kinds(events).includes("started"));
    abort.abort(new Error("no longer"));
    await expect(connecting).rejects.toThrow("no longer");
    await eventually("its end", () => kinds(events).includes("ended"));
    expect(events.at(-1)).toMatchObject({ wasAsked: true });
  });

  it("that a deaf server never tells ends in a timeout, and no child is left", async () => {
    const { connector, events } = createConnector(scriptedServer("deaf"));
    const connecting = connectStdio(connector, { createClient, timeoutMs: 300 });
    await expect(connecting).rejects.toMatchObject({ code: "REQUEST_TIMEOUT" });
    expect(kinds(events)).toEqual(["started", "ended"]);
  });
});

describe("the end of a server in words", () => {
  it.each([
    [undefined, "", "it did not end yet"],
    [{ exitCode: 1, signal: null }, "\n \n", "it ended with exit code 1"],
    [
      { exitCode: null, signal: "SIGKILL" as const },
      "a\nb\nc\nd\n",
      "it was ended by SIGKILL: b | c | d",
    ],
    [
      { exitCode: 0, signal: null },
      `${"x".repeat(999)}\u202e`,
      `it ended with exit code 0: ${"x".repeat(200)}`,
    ],
  ])("of %j with %j", (exit, stderr, words) => {
    expect(describeEnd(exit, stderr)).toBe(words);
  });
});
