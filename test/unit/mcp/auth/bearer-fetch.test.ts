/** A token that a person was given. */
import { describe, expect, it } from "vitest";
import { createBearerFetch } from "../../../../src/mcp/client/auth/bearer-fetch.ts";
import { canary, OAuthServer } from "../../../support/oauth-server.ts";
import { ProtectedServer } from "../../../support/protected-server.ts";

describe("a bearer token", () => {
  it("goes to its server and to no other origin, and may change", async () => {
    await using as = await OAuthServer.start();
    await using mcp = await ProtectedServer.start(as);
    await using other = await ProtectedServer.start(as);
    let token = String(as.issue({ scope: "", client: "x", jkt: undefined })["access_token"]);
    const send = createBearerFetch({
      ...{ next: fetch, serverUrl: mcp.url, serverName: "files", token: () => token },
    });
    expect(await (await send(mcp.url, { method: "POST" })).text()).toBe("served");
    const headers = { authorization: `Bearer ${canary}` };
    await send(other.url, { method: "POST", headers });
    expect(other.seen).toEqual([undefined]);
    const far = await send(mcp.url, { method: "POST", headers: { "x-redirect": other.url.href } });
    expect([far.status, other.seen.length]).toEqual([307, 1]);

    token = `${canary}-old`;
    const refused: unknown = await send(mcp.url, { method: "POST" }).catch((e: unknown) => e);
    expect(refused).toMatchObject({ code: "MCP_AUTH_REQUIRED", details: { delivery: "never" } });
    expect(String(refused) + JSON.stringify(refused)).not.toContain(canary);
  });

  it("that is not enough is MCP_FORBIDDEN", async () => {
    await using as = await OAuthServer.start();
    await using mcp = await ProtectedServer.start(as);
    const token = String(as.issue({ scope: "", client: "x", jkt: undefined })["access_token"]);
    const send = createBearerFetch({
      ...{ next: fetch, serverUrl: mcp.url, serverName: "files", token: () => token },
    });
    const asked = send(mcp.url, { method: "POST", headers: { "x-needs-scope": "write" } });
    await expect(asked).rejects.toMatchObject({ code: "MCP_FORBIDDEN" });
  });
});
