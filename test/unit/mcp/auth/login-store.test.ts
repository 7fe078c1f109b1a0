/** Logins on disk: sealed, shared by processes, and never silently overwritten. */
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKeychain } from "../../../../src/process/keychain.ts";
import { LoginStore } from "../../../../src/mcp/client/auth/login-store.ts";
import { StoredLogin } from "../../../../src/mcp/client/auth/stored-login.ts";
import { openVault, sealVault } from "../../../../src/mcp/client/auth/vault.ts";
import { canary, OAuthServer } from "../../../support/oauth-server.ts";
import { ProtectedServer } from "../../../support/protected-server.ts";
import { projectFolder } from "../../../support/repository.ts";

const server = new URL("https://mcp.example/mcp");
const options = { kind: "oauth", flow: "browser" } as const;
const tokens = {
  access_token: `${canary}-at`,
  token_type: "Bearer",
  refresh_token: `${canary}-rt`,
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lumina-logins-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function saveLogin(issuer = "https://as.example"): Promise<void> {
  const login = new StoredLogin(await LoginStore.open({ folder }), server, options);
  await login.saveTokens({ ...tokens, issuer }, { issuer });
}

describe("the file of logins", () => {
  it("gives another process what one kept, by server and by authorization server", async () => {
    await saveLogin();
    const store = await LoginStore.open({ folder });
    const login = new StoredLogin(store, server, options);
    expect(await login.tokens()).toMatchObject(tokens);
    expect(await login.tokens({ issuer: "https://as.example" })).toMatchObject(tokens);
    expect(await login.tokens({ issuer: "https://evil.example" })).toBeUndefined();
    const other = new StoredLogin(store, new URL("https://other.example/mcp"), options);
    expect(await other.tokens()).toBeUndefined();
  });

  it("holds no secret in clear, and is this user's alone, as is its key", async () => {
    await saveLogin();
    for (const name of ["logins.sealed", "logins.key"]) {
      const path = join(folder, name);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      const text = await readFile(path, "latin1");
      expect(text).not.toContain(canary);
      expect(Buffer.from(text, "base64").toString("latin1")).not.toContain(canary);
    }
    expect((await readdir(folder)).sort()).toEqual(["locks", "logins.key", "logins.sealed"]);
  });

  it("is read anew when another process wrote: a login is seen by a gateway that runs", async () => {
    const running = new StoredLogin(await LoginStore.open({ folder }), server, options);
    expect(await running.tokens()).toBeUndefined();
    await saveLogin();
    expect(await running.tokens()).toMatchObject(tokens);
  });

  it("keeps what two processes write at once", async () => {
    const stores = await Promise.all([LoginStore.open({ folder }), LoginStore.open({ folder })]);
    const urls = Array.from({ length: 10 }, (_, n) => `https://s${n}.example/`);
    await Promise.all(
      urls.map((url, n) => stores[n % 2]!.change(url, (login) => ({ ...login, issuer: url }))),
    );
    expect([...(await stores[0].list())].sort()).toEqual(urls);
  });
});

describe("a file of logins that was damaged", () => {
  it("is refused and stays as it is, wherever the damage is", async () => {
    await saveLogin();
    const path = join(folder, "logins.sealed");
    const good = await readFile(path, "utf8");
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const damage = fc.integer({ min: 0, max: good.length - 2 });
    const check = async (at: number): Promise<void> => {
      const other = alphabet[alphabet.indexOf(good[at] ?? "") ^ 1] ?? "A"; // the least that can change
      const bad = good.slice(0, at) + other + good.slice(at + 1);
      await writeFile(path, bad);
      const store = await LoginStore.open({ folder });
      const error: unknown = await store
        .change(server.href, () => undefined)
        .catch((e: unknown) => e);
      expect(error).toMatchObject({ code: "STORE_FAILED" });
      expect(JSON.stringify([String(error), error])).not.toContain(canary);
      expect(await readFile(path, "utf8")).toBe(bad);
    };
    const lastOfTag = good.indexOf('==","data') - 1; // four of its bits are nobody's
    await fc.assert(fc.asyncProperty(damage, check), { numRuns: 60, examples: [[lastOfTag]] });
  });

  it("is refused whatever it holds", () => {
    const key = { place: "file", bytes: Buffer.alloc(32, 7) } as const;
    const open = (text: string) => (): unknown => openVault(text, key);
    const json = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((text) => `{"format":${text}}`),
    );
    const isRefused = (text: string): void => {
      expect(open(text)).toThrow(/cannot be used/);
    };
    fc.assert(fc.property(json, isRefused));
    const sealed = sealVault({ logins: {} }, key);
    expect(openVault(sealed, key)).toEqual({ logins: {} });
    const other = { place: "file", bytes: Buffer.alloc(32, 8) } as const;
    expect(() => openVault(sealed, other)).toThrow(/another key/);
    const moved = sealed.replace('"file"', '"keychain"');
    expect(() => openVault(moved, key)).toThrow(/not what was written/);
  });

  it("whose key is gone makes no second key", async () => {
    await saveLogin();
    await rm(join(folder, "logins.key"));
    await expect(saveLogin()).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect(await readdir(folder)).not.toContain("logins.key");
  });

  it("whose key others may read is refused", async () => {
    await saveLogin();
    await chmod(join(folder, "logins.key"), 0o644);
    await expect(saveLogin()).rejects.toThrow(/not a file of this user's alone/);
  });
});

describe("a login that several processes share", () => {
  it("is renewed once by all of them, though refresh tokens are good for one use", async () => {
    await using as = await OAuthServer.start();
    await using mcp = await ProtectedServer.start(as);
    as.register("known", ["http://127.0.0.1/callback"]);
    const store = await LoginStore.open({ folder });
    const issued = as.issue({ scope: "basic", client: "known", jkt: undefined });
    as.expireAll();
    await store.change(mcp.url.href, () => ({
      issuer: as.issuer,
      tokens: { [as.issuer]: { ...issued, issuer: as.issuer } as never },
      clients: { [as.issuer]: { client_id: "known", issuer: as.issuer } },
    }));
    mcp.burst = 30; // all three have the dead token before one renews it
    const program = join(projectFolder, "test/fixtures/renew-login.mjs");
    const runs = ["a", "b", "c"].map(() =>
      promisify(execFile)(process.execPath, [program, folder, mcp.url.href, "10"]),
    );
    const said = (await Promise.all(runs)).flatMap(({ stdout }) => JSON.parse(stdout) as string[]);
    expect(said).toEqual(Array.from({ length: 30 }, () => "served"));
    expect(as.tokenRequests).toHaveLength(1);
    const kept = (await store.read(mcp.url.href)).tokens[as.issuer];
    expect(as.look(kept?.access_token ?? "")).toBeDefined();
  });
});

describe("the key in a keychain", () => {
  /** a program in the place of secret-tool: keeps the secret in a file, or fails */
  async function fakeTool(script: string, name = "secret-tool"): Promise<Record<string, string>> {
    const path = join(folder, "bin");
    await promisify(execFile)("mkdir", ["-p", path]);
    await writeFile(join(path, name), `#!/bin/sh\n${script}`, { mode: 0o755 });
    return { PATH: `${path}:/usr/bin:/bin`, DBUS_SESSION_BUS_ADDRESS: "unix:path=/nowhere" };
  }
  const working =
    'case $1 in lookup) cat "$0.kept";; store) echo "$@" >"$0.args"; cat >"$0.kept";; esac';

  it("is used where one answers: no key is on disk, and none in the arguments of a program", async () => {
    const keychain = createKeychain({ platform: "linux", env: await fakeTool(working) });
    const store = await LoginStore.open({ folder: join(folder, "a"), keychain });
    await store.change(server.href, (login) => ({ ...login, issuer: "x" }));
    expect(await readdir(join(folder, "a"))).not.toContain("logins.key");
    const kept = (await readFile(join(folder, "bin/secret-tool.kept"), "utf8")).trim();
    expect(kept).toMatch(/^[0-9a-f]{64}$/);
    expect(await readFile(join(folder, "bin/secret-tool.args"), "utf8")).not.toContain(kept);
    const again = await LoginStore.open({ folder: join(folder, "a"), keychain });
    expect(await again.list()).toEqual([server.href]);

    // the keychain is locked for a moment: no second key, nothing overwritten
    const locked = createKeychain({ platform: "linux", env: await fakeTool("exit 1") });
    const without = await LoginStore.open({ folder: join(folder, "a"), keychain: locked });
    const change = without.change(server.href, () => undefined);
    await expect(change).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect(await readdir(join(folder, "a"))).not.toContain("logins.key");
  });

  it("goes to macOS's keychain on stdin, not as an argument", async () => {
    const script = `echo "$@" >>"$0.args"
      case $1 in -i) sed 's/.* -w //' >"$0.kept";; *) cat "$0.kept";; esac`;
    const keychain = createKeychain({
      platform: "darwin",
      env: await fakeTool(script, "security"),
    });
    expect(await keychain?.write("name", canary)).toBe(true);
    expect(await keychain?.read("name")).toBe(canary);
    expect(await readFile(join(folder, "bin/security.args"), "utf8")).not.toContain(canary);
  });

  it("is in a file where none answers", async () => {
    const keychain = createKeychain({ platform: "linux", env: await fakeTool("exit 1") });
    const store = await LoginStore.open({ folder: join(folder, "a"), keychain });
    await store.change(server.href, (login) => login);
    expect(await readdir(join(folder, "a"))).toContain("logins.key");
    expect(createKeychain({ platform: "linux", env: {} })).toBeUndefined();
    expect(createKeychain({ platform: "win32", env: {} })).toBeUndefined();
  });
});
