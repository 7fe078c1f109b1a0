/** Tokens on requests, against a real authorization server and a server that wants its tokens. */
import { DpopSession } from "@modelcontextprotocol/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createOAuthFetch } from "../../../../src/mcp/client/auth/oauth-fetch.ts";
import type { OAuthEvent, OAuthFetchOptions } from "../../../../src/mcp/client/auth/oauth-fetch.ts";
import { createDeferred } from "../../../../src/base/deferred.ts";
import { LuminaGuardError } from "../../../../src/errors.ts";
import { MemoryProvider } from "../../../support/memory-provider.ts";
import { canary, OAuthServer } from "../../../support/oauth-server.ts";
import type { OAuthServerOptions } from "../../../support/oauth-server.ts";
import { ProtectedServer } from "../../../support/protected-server.ts";

interface Scene extends AsyncDisposable {
  readonly as: OAuthServer;
  readonly server: ProtectedServer;
  readonly provider: MemoryProvider;
  readonly events: OAuthEvent[];
  readonly fetch: (headers?: Record<string, string>, signal?: AbortSignal) => Promise<string>;
  /** another endpoint's fetch over the same login */
  readonly open: (options?: Partial<OAuthFetchOptions>) => Scene["fetch"];
  /** somebody logged in before */
  readonly logIn: (scope?: string) => void;
  readonly setNow: (ms: number) => void;
}

async function setScene(
  options: OAuthServerOptions & { readonly isPersonThere?: boolean } = {},
): Promise<Scene> {
  const as = await OAuthServer.start(options);
  const server = await ProtectedServer.start(as);
  const provider = new MemoryProvider({ isPersonThere: options.isPersonThere === true });
  const events: OAuthEvent[] = [];
  let now = Date.now();
  const open: Scene["open"] = (more = {}) => {
    const send = createOAuthFetch({
      ...{ next: fetch, realFetch: fetch, provider, serverUrl: server.url, serverName: "files" },
      clock: { now: () => now },
      onEvent: (event) => events.push(event),
      ...more,
    });
    return async (headers = {}, signal) => {
      const response = await send(server.url, {
        ...{ method: "POST", body: "{}", headers },
        ...(signal !== undefined && { signal }),
      });
      return response.text();
    };
  };
  return {
    ...{ as, server, provider, events, open, fetch: open() },
    setNow: (ms) => void (now = ms),
    logIn: (scope = "basic") => {
      as.register("known", [provider.redirectUrl]);
      provider.client = { client_id: "known", issuer: as.issuer };
      const tokens = as.issue({ scope, client: "known", jkt: undefined });
      provider.held = { ...tokens, issuer: as.issuer } as unknown as MemoryProvider["held"];
    },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await as[Symbol.asyncDispose]();
    },
  };
}

async function failureOf(work: Promise<unknown>): Promise<LuminaGuardError> {
  const error: unknown = await work.then(
    (value) => new Error(`no failure but ${String(value)}`),
    (failure: unknown) => failure,
  );
  if (error instanceof LuminaGuardError) return error;
  throw error;
}

/** All of an error that can come to light, its causes included. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = Object.getOwnPropertyNames(error).map((name) => Reflect.get(error, name) as unknown);
  return own.map((part) => (part instanceof Error ? textOf(part) : JSON.stringify(part))).join();
}

// the SDK warns on the console when a refresh fails
beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => undefined));
afterEach(() => void vi.restoreAllMocks());

describe("a token that the server no longer accepts", () => {
  it("is renewed once for 50 calls, all of which succeed, though refresh tokens are good for one use", async () => {
    await using scene = await setScene();
    const { as, server } = scene;
    scene.logIn();
    as.expireAll();
    server.burst = 50;
    const endpoints = [scene.fetch, scene.open(), scene.open()];
    const calls = Array.from({ length: 50 }, (_, index) => endpoints[index % 3]!());
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["served"]));
    expect(as.tokenRequests).toHaveLength(1);
    expect(server.served).toBe(50);
    expect(scene.events).toEqual([{ kind: "token-renewed", reason: "rejected" }]);
  });

  it("is renewed once for calls that come one burst after the other, each with its own dead token", async () => {
    await using scene = await setScene();
    scene.logIn();
    for (let round = 1; round <= 3; round += 1) {
      scene.as.expireAll();
      scene.server.burst = 10;
      await Promise.all(Array.from({ length: 10 }, () => scene.fetch()));
      expect(scene.as.tokenRequests).toHaveLength(round);
    }
  });

  it("is not renewed again by a call that was on its way with it", async () => {
    await using scene = await setScene();
    scene.logIn();
    const late = createDeferred<undefined>();
    const slow = scene.open({
      next: async (url, init) => {
        const response = await fetch(url, init);
        await late.promise;
        return response;
      },
    });
    scene.as.expireAll();
    const asked = slow();
    await vi.waitFor(() => expect(scene.server.seen).toHaveLength(1));
    await scene.fetch();
    late.resolve(undefined);
    expect(await asked).toBe("served");
    expect(scene.as.tokenRequests).toHaveLength(1);
  });

  it("ends in MCP_AUTH_REQUIRED that names the login when the refresh token is dead, too", async () => {
    await using scene = await setScene();
    scene.logIn();
    scene.as.expireAll();
    scene.provider.held = { ...scene.provider.held!, refresh_token: `${canary}-dead` };
    const error = await failureOf(scene.fetch());
    expect(error).toMatchObject({ code: "MCP_AUTH_REQUIRED", hint: "luminaguard mcp login files" });
    expect(scene.provider.redirects).toEqual([]);
    expect(textOf(error)).not.toContain(canary);
    expect(JSON.stringify(scene.events)).not.toContain(canary);
  });

  it("ends in MCP_AUTH_REQUIRED when the new one is not accepted either: two requests, no more", async () => {
    await using scene = await setScene();
    scene.logIn();
    scene.server.isDeaf = true;
    expect((await failureOf(scene.fetch())).code).toBe("MCP_AUTH_REQUIRED");
    expect(scene.server.seen).toHaveLength(2);
    expect(scene.as.tokenRequests).toHaveLength(1);
  });

  it("asks nobody to log in because the authorization server is away: MCP_TRANSIENT", async () => {
    await using scene = await setScene({ isPersonThere: true });
    scene.logIn();
    await scene.fetch();
    scene.as.expireAll();
    await scene.as[Symbol.asyncDispose]();
    const error = await failureOf(scene.fetch());
    expect(error).toMatchObject({ code: "MCP_TRANSIENT", details: { delivery: "never" } });
    expect(textOf(error)).not.toContain(canary);
  });

  it("asks nobody to log in because the token endpoint answers 503", async () => {
    await using scene = await setScene({ isPersonThere: true });
    scene.logIn();
    scene.as.expireAll();
    const away = scene.open({
      realFetch: async (url, init) =>
        init?.method === "POST" ? new Response(null, { status: 503 }) : fetch(url, init),
    });
    expect((await failureOf(away())).code).toBe("MCP_TRANSIENT");
    expect(scene.provider.redirects).toEqual([]);
    expect(await scene.fetch()).toBe("served"); // it was for a moment
  });

  it("lets one caller give up while the others wait on", async () => {
    const gate = createDeferred<undefined>();
    await using scene = await setScene({ gate: () => gate.promise });
    scene.logIn();
    scene.as.expireAll();
    const controller = new AbortController();
    const impatient = scene.fetch({}, controller.signal);
    const patient = scene.fetch();
    await vi.waitFor(() => expect(scene.as.tokenRequests).toHaveLength(1));
    controller.abort(new Error("no time"));
    await expect(impatient).rejects.toThrow("no time");
    gate.resolve(undefined);
    expect(await patient).toBe("served");
    expect(scene.as.tokenRequests).toHaveLength(1);
  });
});

describe("a token that is about to end", () => {
  it.each([0, 2 * 60 * 60_000, -2 * 60 * 60_000])(
    "is renewed 60 s ahead, also when the authorization server's clock is %i ms ahead of ours",
    async (clockAheadMs) => {
      await using scene = await setScene({ clockAheadMs, expiresIn: 600 });
      scene.logIn();
      scene.as.expireAll();
      const start = Math.ceil(Date.now() / 1000) * 1000;
      scene.setNow(start);
      await scene.fetch(); // this token's end is known from its answer
      scene.setNow(start + 535_000);
      await scene.fetch();
      expect(scene.as.tokenRequests).toHaveLength(1);
      scene.setNow(start + 542_000);
      await Promise.all(Array.from({ length: 50 }, () => scene.fetch()));
      expect(scene.as.tokenRequests).toHaveLength(2);
      expect(scene.events.at(-1)).toEqual({ kind: "token-renewed", reason: "expiring" });
    },
  );

  it("of a short life is renewed after half of it, not at each call", async () => {
    await using scene = await setScene({ expiresIn: 30 });
    scene.logIn();
    scene.as.expireAll();
    const start = Math.ceil(Date.now() / 1000) * 1000;
    scene.setNow(start);
    await scene.fetch();
    await scene.fetch();
    expect(scene.as.tokenRequests).toHaveLength(1);
  });

  it("is used on while the authorization server is away, and not asked for at each call", async () => {
    await using scene = await setScene({ expiresIn: 600 });
    scene.logIn();
    scene.as.expireAll();
    const start = Date.now();
    scene.setNow(start);
    await scene.fetch();
    scene.setNow(start + 580_000);
    let asked = 0;
    const away = scene.open({
      realFetch: () => {
        asked += 1;
        return Promise.reject(new TypeError("fetch failed"));
      },
    });
    expect(await away()).toBe("served");
    const first = asked;
    expect(await away()).toBe("served");
    expect(asked).toBe(first);
    expect(scene.events.at(-1)).toMatchObject({ kind: "token-failed", code: "MCP_TRANSIENT" });
  });
});

describe("a token that is not wide enough", () => {
  it("is replaced once for all who need the same scopes, and keeps the old ones", async () => {
    await using scene = await setScene({ isPersonThere: true });
    scene.logIn();
    const calls = Array.from({ length: 20 }, () => scene.fetch({ "x-needs-scope": "write" }));
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["served"]));
    expect(scene.provider.redirects).toHaveLength(1);
    expect(scene.as.authorizeRequests[0]?.searchParams.get("scope")).toBe("basic write");
    await scene.fetch({ "x-needs-scope": "basic" });
    expect(scene.provider.redirects).toHaveLength(1);
  });

  it("that does not get wider is MCP_FORBIDDEN after one try; the next try is five minutes later", async () => {
    await using scene = await setScene({ isPersonThere: true, grantable: ["basic"] });
    scene.logIn();
    const needsAdmin = (): Promise<string> => scene.fetch({ "x-needs-scope": "admin" });
    const start = Date.now();
    scene.setNow(start);
    expect(await failureOf(needsAdmin())).toMatchObject({
      code: "MCP_FORBIDDEN",
      details: { status: 403, delivery: "answered", reason: "insufficient_scope", scope: "admin" },
    });
    expect((await failureOf(needsAdmin())).code).toBe("MCP_FORBIDDEN");
    expect(scene.provider.redirects).toHaveLength(1);
    scene.setNow(start + 5 * 60_000);
    expect((await failureOf(needsAdmin())).code).toBe("MCP_FORBIDDEN");
    expect(scene.provider.redirects).toHaveLength(2);
  });

  it("needs a person: MCP_AUTH_REQUIRED with the scopes when nobody is there", async () => {
    await using scene = await setScene();
    scene.logIn();
    const error = await failureOf(scene.fetch({ "x-needs-scope": "write" }));
    expect(error).toMatchObject({ code: "MCP_AUTH_REQUIRED", details: { scope: "basic write" } });
    expect(scene.as.tokenRequests).toHaveLength(0);
  });
});

describe("without a token", () => {
  it("nobody is asked and nothing is registered when no person is there", async () => {
    await using scene = await setScene();
    const error = await failureOf(scene.fetch());
    expect(error).toMatchObject({
      code: "MCP_AUTH_REQUIRED",
      message: "files: needs a login",
      hint: "luminaguard mcp login files",
    });
    expect(scene.as.registrations).toBe(0);
  });

  it("a person who is there logs in once for all calls, for the scope the server named", async () => {
    await using scene = await setScene({ isPersonThere: true });
    scene.server.burst = 20;
    const calls = Array.from({ length: 20 }, () => scene.fetch());
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["served"]));
    expect(scene.provider.redirects).toHaveLength(1);
    expect(scene.as.registrations).toBe(1);
    expect(scene.as.tokenRequests).toHaveLength(1);
    expect(scene.as.authorizeRequests[0]?.searchParams.get("scope")).toBe("basic");
    expect(scene.provider.held?.issuer).toBe(scene.as.issuer);
  });

  it("a login that fails repeats nothing that the authorization server wrote: it saw the secrets", async () => {
    await using scene = await setScene({ isPersonThere: true });
    scene.provider.authorizationResponse = () =>
      Promise.resolve({ code: `${canary}-wrong`, iss: scene.as.issuer });
    const error = await failureOf(scene.fetch());
    expect(error).toMatchObject({
      code: "MCP_AUTH_REQUIRED",
      details: { reason: "invalid_grant" },
    });
    expect(scene.as.tokenRequests[0]?.get("code")).toBe(`${canary}-wrong`); // which it echoes
    expect(textOf(error)).not.toContain(canary);
    expect(JSON.stringify(scene.events)).not.toContain(canary);
  });

  it("a server that moved to another authorization server is followed, without the old one's secrets", async () => {
    await using scene = await setScene({ isPersonThere: true });
    await scene.fetch();
    await using other = await OAuthServer.start();
    scene.server.authorizedBy = other;
    expect(await scene.fetch()).toBe("served");
    expect(other.registrations).toBe(1);
    const old = scene.as.tokenRequests.flatMap((form) => [...form.values()]);
    const sent = other.tokenRequests.flatMap((form) => [...form.values()]);
    expect(sent.filter((value) => value.startsWith(canary) && old.includes(value))).toEqual([]);
  });
});

describe("the token", () => {
  it("goes to no other origin: neither asked for nor by redirect", async () => {
    await using scene = await setScene();
    await using other = await setScene();
    scene.logIn();
    other.server.isDeaf = true;
    const send = createOAuthFetch({
      ...{ next: fetch, realFetch: fetch, provider: scene.provider },
      ...{ serverUrl: scene.server.url, serverName: "files" },
    });
    const mine = { authorization: `Bearer ${canary}`, dpop: canary };
    const redirected = await send(scene.server.url, {
      method: "POST",
      redirect: "follow",
      headers: { "x-redirect": other.server.url.href },
    });
    expect(redirected.status).toBe(307);
    await send(other.server.url, { method: "POST", headers: mine });
    expect(other.server.seen).toEqual([undefined]);
    expect(scene.server.seen[0]).toContain(canary);
  });

  it("bound to a key goes with a proof for each request, and not as a bearer token", async () => {
    await using scene = await setScene({ isPersonThere: true });
    scene.provider.session = await DpopSession.create();
    expect(await scene.fetch()).toBe("served");
    expect(await scene.fetch()).toBe("served");
    expect(scene.provider.held?.token_type).toBe("DPoP");
    expect(scene.server.seen.at(-1)).toMatch(/^DPoP /);
  });
});

describe("an MCP server that names an authorization server", () => {
  it.each([
    ["https://mcp.example/mcp", "http://169.254.169.254"],
    ["https://mcp.example/mcp", "http://127.0.0.1:9200"],
    ["https://mcp.example/mcp", "https://localhost"],
    ["https://mcp.example/mcp", "http://auth.example"],
    ["http://127.0.0.1:1/mcp", "http://192.168.0.1"],
  ])("at %s cannot make us ask %s", async (server, named) => {
    const provider = new MemoryProvider({ isPersonThere: true });
    const asked: string[] = [];
    const answer = (input: string | URL): Promise<Response> => {
      const url = new URL(input);
      asked.push(url.origin);
      if (url.pathname.startsWith("/.well-known/oauth-protected-resource")) {
        return Promise.resolve(Response.json({ resource: server, authorization_servers: [named] }));
      }
      if (url.pathname === "/mcp") return Promise.resolve(new Response(null, { status: 401 }));
      return Promise.resolve(new Response(null, { status: 404 }));
    };
    const send = createOAuthFetch({
      ...{ next: answer, realFetch: answer, provider },
      ...{ serverUrl: new URL(server), serverName: "files" },
    });
    const error = await failureOf(send(new URL(server), { method: "POST" }));
    expect(error.code).toBe("MCP_PROTOCOL");
    expect(asked).not.toContain(new URL(named).origin);
    expect(asked.length).toBeGreaterThan(0);
  });
});
