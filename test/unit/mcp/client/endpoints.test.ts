import { describe, expect, it } from "vitest";
import { http } from "../../../../src/mcp/client/http/http-server.ts";
import type { HttpServer } from "../../../../src/mcp/client/http/http-server.ts";
import { ManagedClient } from "../../../../src/mcp/client/managed-client.ts";
import type { Ledger } from "../../../support/mcp/counting-server.ts";
import { HttpReplica } from "../../../support/mcp/http-replica.ts";

const info = { name: "test", version: "1" };
type Era = "stateless" | "session";

async function openThree(era: Era, describeServer: (server: HttpServer) => HttpServer = (s) => s) {
  const ledger: Ledger = new Map();
  const names = ["a", "b", "c"];
  const replicas = await Promise.all(names.map((name) => HttpReplica.start({ era, ledger, name })));
  const client = new ManagedClient(info);
  const server = http(replicas.map(({ url }) => url)).withRetry({ initialMs: 2, maxMs: 20 });
  await client.connect(describeServer(server));
  const call = async (key: string, tool = "count", idempotent = false): Promise<string> => {
    const result = await client.callTool({ name: tool, arguments: { key } }, { idempotent });
    const [content] = result.content;
    return content?.type === "text" ? (content.text.split(" ")[0] ?? "") : "";
  };
  return {
    replicas: replicas as [HttpReplica, HttpReplica, HttpReplica],
    client,
    ledger,
    call,
    async [Symbol.asyncDispose]() {
      await client.close();
      await Promise.all(replicas.map((each) => each[Symbol.asyncDispose]()));
    },
  };
}

async function inTurn<T>(count: number, call: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let index = 0; index < count; index += 1) results.push(await call(index));
  return results;
}

const tally = (names: readonly string[]): number[] =>
  ["a", "b", "c"].map((name) => names.filter((each) => each === name).length);

describe("calls are spread", () => {
  it("in turn over stateless endpoints", async () => {
    await using three = await openThree("stateless");
    expect(tally(await inTurn(9, (index) => three.call(String(index))))).toEqual([3, 3, 3]);
  });

  it("not at all within a session", async () => {
    await using three = await openThree("session");
    const names = await inTurn(9, (index) => three.call(String(index)));
    expect(new Set(names).size).toBe(1);
  });

  it("by weight", async () => {
    await using one = await HttpReplica.start({ name: "a" });
    await using two = await HttpReplica.start({ name: "b" });
    const client = new ManagedClient(info);
    const endpoints = [
      { url: one.url, weight: 3 },
      { url: two.url, weight: 1 },
    ];
    await client.connect(http(endpoints).withLoadBalancing("weighted"));
    await inTurn(7, () => client.callTool({ name: "count", arguments: { key: "k" } }));
    expect([one.ledger.get("k"), two.ledger.get("k")]).toEqual([5, 2]);
    await client.close();
  });

  it("to the one with the least to do", async () => {
    await using three = await openThree("stateless", (s) => s.withLoadBalancing("least-in-flight"));
    const held = new AbortController();
    const holding = three.client
      .callTool({ name: "hold" }, { signal: held.signal })
      .catch(() => undefined);
    await expect
      .poll(() => three.replicas.flatMap((each) => each.calls("tools/call")).length)
      .toBe(1);
    const busy = three.replicas.findIndex((each) => each.calls("tools/call").length === 1);
    const names = await inTurn(8, (index) => three.call(String(index)));
    expect(tally(names)[busy]).toBe(0);
    held.abort();
    await holding;
  });
});

describe.each(["stateless", "session"] as const)("of three %s endpoints", (era) => {
  it("one that is gone is left out at once, and its calls go elsewhere", async () => {
    await using three = await openThree(era);
    await three.replicas[1].kill();
    await three.replicas[2].kill();
    const names = await inTurn(6, (index) => three.call(String(index)));
    expect(tally(names)).toEqual([6, 0, 0]);
    expect([...three.ledger.values()]).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it("all gone is one error that names each with its cause", async () => {
    await using three = await openThree(era, (s) => s.withRetry({ attempts: 3 }));
    await Promise.all(three.replicas.map((each) => each.kill()));
    await inTurn(6, (index) => three.call(String(index)).catch(() => undefined));
    const error: unknown = await three.call("last").catch((each: unknown) => each);
    expect(error).toMatchObject({ code: "MCP_UNAVAILABLE" });
    for (const { url } of three.replicas) expect(String(error)).toContain(`${url}: `);
    expect(String(error)).toContain("breaker open");
    expect(three.client.snapshot().state).toBe("open");
  });

  it("one killed and revived under load costs no call and doubles none", async () => {
    await using three = await openThree(era, (s) =>
      s
        .withCircuitBreaker({ mode: "consecutive", failures: 2, openMs: 20, openMsMax: 50 })
        .withRetry({ attempts: 8, budget: 1 }),
    );
    const victim = three.replicas[1];
    const outcomes: Promise<string>[] = [];
    const load = async (round: number): Promise<void> => {
      for (let index = 0; index < 40; index += 1) {
        const key = `${String(round)}-${String(index)}`;
        const isIdempotent = index % 2 === 0;
        outcomes.push(
          three
            .call(key, isIdempotent ? "look" : "count", isIdempotent)
            .then(() => `ok ${key}`)
            .catch((error: unknown) => `${(error as { code: string }).code} ${key}`),
        );
        await new Promise(setImmediate);
      }
    };
    await load(0);
    const killed = victim.kill();
    await load(1);
    await killed;
    await load(2);
    await victim.listen();
    await load(3);
    const ends = await Promise.all(outcomes);
    for (const end of ends) {
      const [code, key = ""] = end.split(" ");
      const isIdempotent = Number(key.split("-")[1]) % 2 === 0;
      if (isIdempotent) expect(code).toBe("ok");
      else {
        expect(["ok", "MCP_OUTCOME_UNKNOWN"]).toContain(code);
        expect(three.ledger.get(key) ?? 0).toBeLessThanOrEqual(1);
        if (code === "ok") expect(three.ledger.get(key)).toBe(1);
      }
    }
    expect(ends).toHaveLength(160);
  });
});

it("an endpoint that comes back is found by its health check", async () => {
  await using three = await openThree("stateless", (s) =>
    s
      .withHealthCheck({ intervalMs: 10 })
      .withCircuitBreaker({ mode: "consecutive", failures: 1, openMs: 10, openMsMax: 10 }),
  );
  await three.replicas[0].kill();
  await expect.poll(() => three.client.snapshot().state).toBe("degraded");
  await three.replicas[0].listen();
  await expect.poll(() => three.client.snapshot().state).toBe("ready");
  const changes = three.client.snapshot().history.map(({ to }) => to);
  expect(changes.slice(-2)).toEqual(["degraded", "ready"]);
});

it("fails over within 50 ms of the first error", async () => {
  await using three = await openThree("stateless");
  await inTurn(3, (index) => three.call(String(index)));
  await three.replicas[0].kill();
  const startedAt = performance.now();
  await inTurn(3, (index) => three.call(`after-${String(index)}`, "look", true));
  expect(performance.now() - startedAt).toBeLessThan(150);
});

it("a caller who leaves says nothing of the endpoint", async () => {
  await using three = await openThree("stateless", (s) =>
    s
      .withHealthCheck(false)
      .withCircuitBreaker({ mode: "consecutive", failures: 1, openMs: 1, openMsMax: 1 }),
  );
  const [first] = three.replicas;
  await three.replicas[1].kill();
  await three.replicas[2].kill();
  await inTurn(3, (index) => three.call(String(index)));
  first.fault = () => undefined;
  const controller = new AbortController();
  const before = three.client.snapshot().endpoints[0];
  const call = three.client
    .callTool({ name: "count", arguments: { key: "left" } }, { signal: controller.signal })
    .catch(() => undefined);
  await expect
    .poll(() => three.client.snapshot().endpoints.some((each) => each.inFlight > 0))
    .toBe(true);
  controller.abort(new Error("no more time"));
  await call;
  expect(three.client.snapshot().endpoints[0]).toEqual(before);
});
