/** A person logs in, against a real authorization server: in the browser, on another device; and out. */
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  openCallbackServer,
  parseCallback,
} from "../../../../src/mcp/client/auth/callback-server.ts";
import { logIn, logOut, readLoginStatus } from "../../../../src/mcp/client/auth/login-desk.ts";
import type { DeviceLoginRequest } from "../../../../src/mcp/client/auth/device-login.ts";
import { LoginStore } from "../../../../src/mcp/client/auth/login-store.ts";
import { createOAuthFetch } from "../../../../src/mcp/client/auth/oauth-fetch.ts";
import { parseOAuthOptions } from "../../../../src/mcp/client/auth/oauth-options.ts";
import { createProvider } from "../../../../src/mcp/client/auth/create-provider.ts";
import { canary, OAuthServer } from "../../../support/oauth-server.ts";
import type { OAuthServerOptions } from "../../../support/oauth-server.ts";
import { ProtectedServer } from "../../../support/protected-server.ts";

let folder: string;
let store: LoginStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lumina-login-"));
  store = await LoginStore.open({ folder });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Scene extends AsyncDisposable {
  readonly as: OAuthServer;
  readonly mcp: ProtectedServer;
  readonly said: string[];
  readonly request: (
    oauth?: Record<string, unknown>,
    more?: Partial<DeviceLoginRequest>,
  ) => DeviceLoginRequest;
}

async function setScene(options: OAuthServerOptions = {}): Promise<Scene> {
  const as = await OAuthServer.start(options);
  const mcp = await ProtectedServer.start(as);
  const said: string[] = [];
  return {
    ...{ as, mcp, said },
    request: (oauth = {}, more = {}) => ({
      ...{ store, serverUrl: mcp.url, serverName: "files", realFetch: fetch },
      oauth: parseOAuthOptions({ kind: "oauth", ...oauth }),
      face: { say: (text) => said.push(text), openBrowser: browse },
      clock: { now: Date.now },
      ...more,
    }),
    [Symbol.asyncDispose]: async () => {
      await mcp[Symbol.asyncDispose]();
      await as[Symbol.asyncDispose]();
    },
  };
}

const pages: string[] = [];
/** a browser whose person says yes */
function browse(url: URL): void {
  void fetch(url).then(async (response) => pages.push(await response.text()));
}

/** Changes where the browser is sent back to. */
function browseWith(change: (back: URL) => void): (url: URL) => Promise<void> {
  return async (url) => {
    const answer = await fetch(url, { redirect: "manual" });
    const back = new URL(answer.headers.get("location") ?? "");
    change(back);
    void fetch(back);
  };
}

async function call(scene: Scene, oauth: Record<string, unknown> = {}): Promise<string> {
  const provider = createProvider(parseOAuthOptions({ kind: "oauth", ...oauth }), {
    store: await LoginStore.open({ folder }),
    ...{ serverUrl: scene.mcp.url, realFetch: fetch },
  });
  const send = createOAuthFetch({
    ...{ next: fetch, realFetch: fetch, provider, serverUrl: scene.mcp.url, serverName: "files" },
  });
  return (await send(scene.mcp.url, { method: "POST", body: "{}" })).text();
}

describe("a login in the browser", () => {
  it("shows the address, comes back on loopback, and is kept for the calls that follow", async () => {
    await using scene = await setScene();
    await logIn(scene.request());
    expect(scene.said.join()).toContain(`${scene.as.issuer}/authorize?`);
    await vi.waitFor(() => expect(pages.at(-1)).toContain("Logged in"));
    expect(await call(scene)).toBe("served");
    expect(scene.as.authorizeRequests[0]?.searchParams.get("redirect_uri")).toMatch(
      /^http:\/\/127\.0\.0\.1:\d+\/callback$/,
    );
    expect(await readLoginStatus(store, scene.mcp.url, { now: Date.now })).toMatchObject({
      ...{ isLoggedIn: true, isRenewable: true, issuer: scene.as.issuer },
    });
    expect(await readFile(join(folder, "logins.sealed"), "utf8")).not.toContain(canary);
  });

  it("still works where the browser cannot be opened: the address is said", async () => {
    await using scene = await setScene();
    const face = {
      say: (text: string) => browse(new URL(/http\S+/.exec(text)![0])),
      openBrowser: () => {
        throw new Error("no display");
      },
    };
    await logIn(scene.request({}, { face }));
    expect(await call(scene)).toBe("served");
  });

  it("asks for the scopes that were configured, as the client that was", async () => {
    await using scene = await setScene();
    const redirectPort = Number(new URL((await openAndClose()).redirectUrl).port);
    scene.as.register("mine", [`http://127.0.0.1:${redirectPort}/callback`]);
    await logIn(scene.request({ clientId: "mine", scopes: ["a", "b"], redirectPort }));
    const asked = scene.as.authorizeRequests[0]?.searchParams;
    expect([asked?.get("client_id"), asked?.get("scope")]).toEqual(["mine", "a b"]);
    expect(scene.as.registrations).toBe(0);
  });

  it("with a key binds the tokens to it, also when another process renews them", async () => {
    await using scene = await setScene();
    await logIn(scene.request({ dpop: true }));
    expect(await call(scene, { dpop: true })).toBe("served");
    scene.as.expireAll();
    expect(await call(scene, { dpop: true })).toBe("served");
    expect(scene.mcp.seen.at(-1)).toMatch(/^DPoP /);
  });

  it("is refused when the person says no", async () => {
    await using scene = await setScene();
    const openBrowser = browseWith((back) => {
      back.searchParams.delete("code");
      back.searchParams.set("error", "access_denied");
    });
    const login = logIn(scene.request({}, { face: { say: () => undefined, openBrowser } }));
    await expect(login).rejects.toMatchObject({
      code: "MCP_AUTH_REQUIRED",
      details: { reason: "access_denied" },
    });
  });

  it("is refused when another authorization server says it answered (mix-up): no code is sent", async () => {
    await using scene = await setScene();
    const openBrowser = browseWith((back) => back.searchParams.set("iss", "https://evil.example"));
    const login = logIn(scene.request({}, { face: { say: () => undefined, openBrowser } }));
    await expect(login).rejects.toMatchObject({ code: "MCP_PROTOCOL" });
    expect(scene.as.tokenRequests).toEqual([]);
  });

  it("waits on when an answer has the wrong state, and takes the right one", async () => {
    await using scene = await setScene();
    const openBrowser = async (url: URL): Promise<void> => {
      const forged = new URL(url.searchParams.get("redirect_uri") ?? "");
      forged.search = `code=forged&state=${"A".repeat(43)}`;
      expect((await fetch(forged)).status).toBe(400);
      browse(url);
    };
    await logIn(scene.request({}, { face: { say: () => undefined, openBrowser } }));
    expect(scene.as.tokenRequests.map((form) => form.get("code"))).not.toContain("forged");
  });

  it("ends at its deadline, and when it is cancelled, with the caller's reason", async () => {
    await using scene = await setScene();
    const face = { say: () => undefined };
    const late = logIn(scene.request({}, { face, timeoutMs: 1 }));
    await expect(late).rejects.toMatchObject({ code: "TIMEOUT" });
    const controller = new AbortController();
    const say = (): void => controller.abort(new Error("no more"));
    const cancelled = logIn(scene.request({}, { face: { say }, signal: controller.signal }));
    await expect(cancelled).rejects.toThrow("no more");
  });

  it.each([
    [{ authorization_endpoint: "http://192.168.0.1/authorize" }, "address"],
    [{ code_challenge_methods_supported: undefined }, "pkce"],
  ])("is refused where the authorization server says %j", async (metadata, reason) => {
    await using scene = await setScene({ metadata });
    await expect(logIn(scene.request())).rejects.toMatchObject({
      code: "MCP_PROTOCOL",
      details: { reason },
    });
    expect(scene.said).toEqual([]);
  });

  it("is refused where the server names another authorization server than the expected one", async () => {
    await using scene = await setScene();
    const login = logIn(scene.request({ expectedIssuer: "https://as.example" }));
    await expect(login).rejects.toMatchObject({ code: "MCP_PROTOCOL" });
    expect(scene.as.registrations).toBe(0);
  });
});

async function openAndClose(): Promise<{ redirectUrl: string }> {
  await using server = await openCallbackServer();
  return { redirectUrl: server.redirectUrl };
}

describe("the callback", () => {
  it("is gone when the login is over", async () => {
    const { redirectUrl } = await openAndClose();
    await expect(fetch(redirectUrl)).rejects.toThrow("fetch failed");
  });

  it("is for a browser that asks 127.0.0.1 by that name, and says nothing of the code", async () => {
    await using server = await openCallbackServer();
    const target = `${server.redirectUrl}?code=${canary}&state=${server.state}`;
    const asked = httpRequest(target, { headers: { host: "evil.example" } }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    expect(response.resume().statusCode).toBe(400);
    const right = await fetch(target);
    expect(await right.text()).not.toContain(canary);
    expect(right.headers.get("referrer-policy")).toBe("no-referrer");
    expect(await server.answer).toMatchObject({ kind: "code", response: { code: canary } });
  });

  it.each(["code=a&code=b", "code=a&iss=x&iss=y", "code=a&state=S", "error=a&error=b"])(
    "takes no parameter that comes twice: %s",
    (query) => {
      expect(parseCallback(`/callback?state=S&${query}`, "S").kind).toBe("stray");
    },
  );

  it("takes nothing but one code with the right state, whatever it is asked", () => {
    const state = "S".repeat(43);
    const parameter = fc.tuple(
      fc.constantFrom("code", "state", "iss", "error", "x"),
      fc.oneof(fc.constantFrom(state, "abc", ""), fc.string()),
    );
    const target = fc.oneof(
      fc.string(),
      fc.webPath(),
      fc.array(parameter, { maxLength: 6 }).map((all) => `/callback?${new URLSearchParams(all)}`),
    );
    const isHonest = (text: string): void => {
      const answer = parseCallback(text, state);
      if (answer.kind === "stray") return;
      const all = new URL(text, "http://127.0.0.1").searchParams;
      expect(all.getAll("state")).toEqual([state]);
      for (const name of ["code", "error", "iss"]) expect(all.getAll(name).length).toBeLessThan(2);
      if (answer.kind === "code") expect(answer.response.code).toBe(all.get("code"));
    };
    fc.assert(fc.property(target, isHonest), { numRuns: 300 });
    expect(parseCallback(`/callback?code=c&state=${state}`, state)).toMatchObject({ kind: "code" });
    expect(parseCallback(`/other?code=c&state=${state}`, state).kind).toBe("stray");
    expect(parseCallback(`/callback?code=${"c".repeat(9000)}&state=${state}`, state).kind).toBe(
      "stray",
    );
  });
});

describe("a login on another device", () => {
  async function logInOnDevice(
    scene: Scene,
    more: Partial<DeviceLoginRequest> = {},
  ): Promise<number[]> {
    const waits: number[] = [];
    let now = Date.now();
    const wait = (ms: number): Promise<void> => {
      waits.push(ms);
      now += ms;
      return Promise.resolve();
    };
    const clock = { now: () => now };
    await logIn(scene.request({ flow: "device", scopes: ["basic"] }, { wait, clock, ...more }));
    return waits;
  }

  it("says the code, asks as often as it may, and is kept", async () => {
    const devicePolls = ["authorization_pending", "slow_down", "authorization_pending"];
    await using scene = await setScene({ devicePolls });
    expect(await logInOnDevice(scene)).toEqual([1000, 1000, 6000, 6000]);
    expect(scene.said.join()).toContain("WDJB-MJHT");
    expect(scene.as.devicePollTimes).toBe(4);
    expect(await call(scene)).toBe("served");
    scene.as.expireAll();
    expect(await call(scene)).toBe("served"); // renewed by the refresh token
  });

  it.each([
    ["access_denied", "MCP_AUTH_REQUIRED"],
    ["expired_token", "TIMEOUT"],
  ])("ends when the server says %s", async (answer, code) => {
    await using scene = await setScene({ devicePolls: [answer] });
    await expect(logInOnDevice(scene)).rejects.toMatchObject({ code });
    expect(scene.as.devicePollTimes).toBe(1);
  });

  it("ends with its code, and when it is cancelled", async () => {
    const devicePolls = Array.from({ length: 100 }, () => "authorization_pending");
    await using scene = await setScene({ devicePolls });
    await expect(logInOnDevice(scene)).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(scene.as.devicePollTimes).toBe(59);
    const controller = new AbortController();
    const wait = (): Promise<void> => {
      controller.abort(new Error("no more"));
      return Promise.resolve();
    };
    const cancelled = logInOnDevice(scene, { wait, signal: controller.signal });
    await expect(cancelled).rejects.toThrow("no more");
    expect(scene.as.devicePollTimes).toBe(59);
  });

  it("needs a server that has it", async () => {
    const metadata = { device_authorization_endpoint: undefined };
    await using scene = await setScene({ metadata });
    await expect(logInOnDevice(scene)).rejects.toMatchObject({ code: "MCP_AUTH_REQUIRED" });
  });
});

describe("a logout", () => {
  it("ends the tokens at the authorization server, and forgets them here", async () => {
    await using scene = await setScene();
    await logIn(scene.request());
    const result = await logOut(store, scene.mcp.url, fetch);
    expect(result).toEqual({ wasLoggedIn: true, isRevoked: true });
    expect(scene.as.revoked.map((token) => token.slice(0, 9))).toEqual(["CANARY-rt", "CANARY-at"]);
    expect(await store.list()).toEqual([]);
    await expect(call(scene)).rejects.toMatchObject({ code: "MCP_AUTH_REQUIRED" });
  });

  it("forgets them here also when the authorization server is away", async () => {
    await using scene = await setScene();
    await logIn(scene.request());
    scene.as.outage = 503;
    const result = await logOut(store, scene.mcp.url, fetch);
    expect(result).toEqual({ wasLoggedIn: true, isRevoked: false });
    expect(await readLoginStatus(store, scene.mcp.url, { now: Date.now })).toEqual({
      ...{ isLoggedIn: false, isRenewable: false },
    });
  });
});

describe("a program's login", () => {
  it("with a secret gets its own tokens, and needs nobody", async () => {
    await using scene = await setScene();
    scene.as.register("robot", [], `${canary}-secret`);
    const secret = { clientId: "robot", clientSecret: `${canary}-secret` };
    const oauth = { flow: "client-credentials", ...secret, expectedIssuer: scene.as.issuer };
    expect(await call(scene, oauth)).toBe("served");
    await expect(logIn(scene.request(oauth))).rejects.toMatchObject({ code: "USAGE" });
  });

  it("with a key signs who it is: the key stays here, and each assertion is for one server", async () => {
    await using scene = await setScene();
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    scene.as.registerKey("robot", pair.publicKey);
    const privateKey = String(pair.privateKey.export({ type: "pkcs8", format: "pem" }));
    const oauth = { flow: "private-key-jwt", clientId: "robot", privateKey };
    expect(await call(scene, { ...oauth, expectedIssuer: scene.as.issuer })).toBe("served");
    const sent = [...(scene.as.tokenRequests[0] ?? [])].flat().join();
    expect(sent).not.toContain(privateKey.split("\n")[1]);
  });

  it("brings a grant of its own, as a workload does, with no secret", async () => {
    await using scene = await setScene();
    const oauth = { flow: "id-jag", clientId: "robot", assertion: `${canary}-grant` };
    expect(await call(scene, { ...oauth, expectedIssuer: scene.as.issuer })).toBe("served");
    expect(scene.as.tokenRequests[0]?.get("assertion")).toBe(`${canary}-grant`);
  });

  it("exchanges the person's ID token for a grant to this one server, at whoever vouches for them", async () => {
    await using scene = await setScene();
    await using idp = await OAuthServer.start();
    const oauth = {
      ...{ flow: "id-jag", clientId: "me", expectedIssuer: scene.as.issuer },
      identityProvider: {
        ...{ tokenEndpoint: `${idp.issuer}/token`, clientId: "at-idp", idToken: `${canary}-id` },
      },
    };
    expect(await call(scene, oauth)).toBe("served");
    expect(Object.fromEntries(idp.tokenRequests[0] ?? [])).toMatchObject({
      subject_token: `${canary}-id`,
      audience: scene.as.issuer,
      resource: scene.mcp.url.href,
    });
    const [redeemed] = scene.as.tokenRequests;
    expect(redeemed?.get("assertion")).toMatch(/^CANARY-jag/);
    expect([...(redeemed ?? [])].flat()).not.toContain(`${canary}-id`);
  });

  it("sends its secret to no other authorization server than the expected one", async () => {
    await using scene = await setScene();
    const secret = { clientId: "robot", clientSecret: `${canary}-secret` };
    const oauth = { flow: "client-credentials", ...secret, expectedIssuer: "https://as.example" };
    await expect(call(scene, oauth)).rejects.toMatchObject({ code: "MCP_PROTOCOL" });
    expect(scene.as.tokenRequests).toEqual([]);
  });
});
