import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { NamedServer } from "../../../../src/runtime/mcp/mcp-servers.ts";
import type { OwnLumina } from "../../../support/lumina.ts";
import { createOwnLumina } from "../../../support/lumina.ts";
import { HttpReplica } from "../../../support/mcp/http-replica.ts";
import { sdkServer } from "../../../support/mcp/servers.ts";

const face = { say: () => undefined };

/** The one server of a project's `.mcp.json`, as a clone of the repository would bring it. */
async function brought({ lumina, folder }: OwnLumina, entry: object): Promise<NamedServer> {
  const text = JSON.stringify({ mcpServers: { theirs: entry } });
  await writeFile(join(folder, ".mcp.json"), text);
  return lumina.mcp.find("theirs", { folder });
}

describe("a yes to a project's server", () => {
  it("given for a machine does not hold on the host, nor the other way", async () => {
    await using own = await createOwnLumina();
    const { mcp } = own.lumina;
    const server = await brought(own, sdkServer());
    await mcp.trust(server, false, "in-machine");
    expect(await mcp.isTrusted(server, false)).toBe(true);
    expect(await mcp.isTrusted(server, true)).toBe(false);
    const other = await brought(own, { ...sdkServer(), cwd: "/" });
    await mcp.trust(other, true, "on-host");
    expect(await mcp.isTrusted(other, true)).toBe(true);
    expect(await mcp.isTrusted(other, false)).toBe(false);
  });

  it("holds for an address wherever programs are started", async () => {
    await using own = await createOwnLumina();
    const { mcp } = own.lumina;
    const server = await brought(own, { url: "https://mcp.example/mcp" });
    await mcp.trust(server, true, "address");
    expect(await mcp.isTrusted(server, false)).toBe(true);
    expect(await mcp.isTrusted(server, true)).toBe(true);
  });

  it("is asked with the whole entry, the words included that only LuminaGuard or others read", async () => {
    await using own = await createOwnLumina();
    const { mcp } = own.lumina;
    const program = {
      ...{ command: "run", args: ["--fast"], env: { LD_PRELOAD: "./evil.so" }, cwd: "/etc" },
      ...{ luminaguard: { image: "theirs", destructive: ["x"] }, autoApprove: ["y"] },
    };
    const server = await brought(own, program);
    expect(mcp.draftTrust(server, "run-1", true).args).toEqual({
      ...{ server: "theirs", file: join(own.folder, ".mcp.json"), place: "host" },
      ...{ argv: ["run", "--fast"], entry: program },
    });
    expect(mcp.draftTrust(server, "run-1", false).args).toMatchObject({ place: "machine" });
    const address = { url: "https://mcp.example/mcp", headers: { a: "b" }, type: "sse" };
    const draft = mcp.draftTrust(await brought(own, address), "run-1", false);
    expect(draft.args).toMatchObject({ place: "address", entry: address });
    expect(draft.effects).toContainEqual(
      expect.objectContaining({ kind: "network-grant", host: "mcp.example", port: 443 }),
    );
  });
});

describe("a project's server that nobody said yes to", () => {
  const denied = expect.objectContaining({ code: "APPROVAL_DENIED" }) as unknown;

  it("is neither opened nor logged in to, and nothing is sent to it", async () => {
    await using own = await createOwnLumina();
    await using replica = await HttpReplica.start();
    const { mcp } = own.lumina;
    const server = await brought(own, { url: replica.url });
    await expect(mcp.open(server, { onHost: false })).rejects.toEqual(denied);
    const { signal } = new AbortController();
    await expect(mcp.logIn(server, { face, signal })).rejects.toEqual(denied);
    expect(replica.received).toEqual([]);
  });

  it("is not started on the host by a yes that was for a machine", async () => {
    await using own = await createOwnLumina();
    const marker = join(own.folder, "started");
    const server = await brought(own, { command: "touch", args: [marker] });
    await own.lumina.mcp.trust(server, false, "in-machine");
    await expect(own.lumina.mcp.open(server, { onHost: true })).rejects.toEqual(denied);
  });

  it("is opened once it is trusted at that place", async () => {
    await using own = await createOwnLumina();
    await using replica = await HttpReplica.start();
    const { mcp } = own.lumina;
    const server = await brought(own, { url: replica.url });
    await mcp.trust(server, false, "yes");
    const client = await mcp.open(server, { onHost: false });
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("count");
    await client.close();
  });
});
