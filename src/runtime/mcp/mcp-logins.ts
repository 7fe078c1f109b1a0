/** Logins to MCP servers: kept sealed in the state folder, and used by every process of this person. */
import { join } from "node:path";
import { loadVariable } from "../../config/io-settings.ts";
import type { LoginStatus, LogoutResult } from "../../mcp/client/auth/login-desk.ts";
import type { LoginFace } from "../../mcp/client/auth/login-request.ts";
import type { LoginStore } from "../../mcp/client/auth/login-store.ts";
import type { OAuthFlow, OAuthOptions } from "../../mcp/client/auth/oauth-options.ts";
import type { HttpHooks } from "../../mcp/client/http/http-options.ts";
import { runProgram } from "../../process/run-program.ts";

export interface LoginWish {
  readonly name: string;
  readonly url: URL;
  /** as the server's entry says it */
  readonly oauth: Readonly<Record<string, unknown>> | undefined;
  /** instead of the entry's own */
  readonly flow?: OAuthFlow | undefined;
  readonly face: LoginFace;
  readonly signal: AbortSignal;
}

type Raw = Readonly<Record<string, unknown>> | undefined;

/** what a keychain needs to find the person's session */
const sessionVariables = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "HOME"];
const clock = { now: Date.now };

export class McpLogins {
  readonly #folder: string;
  #store: Promise<LoginStore> | undefined;

  constructor(stateDir: string) {
    this.#folder = join(stateDir, "mcp");
  }

  /** Puts the login of a server around its requests. Raises CONFIG_INVALID. */
  async authorizeFor(name: string, raw: Raw): Promise<NonNullable<HttpHooks["authorize"]>> {
    const [{ createOAuthFetch }, { createProvider }, store, oauth] = await Promise.all([
      import("../../mcp/client/auth/oauth-fetch.ts"),
      import("../../mcp/client/auth/create-provider.ts"),
      this.#open(),
      parse(raw),
    ]);
    return (next, serverUrl, realFetch) => {
      const provider = createProvider(oauth, { store, serverUrl, realFetch });
      return createOAuthFetch({ next, provider, serverUrl, serverName: name, realFetch });
    };
  }

  /** Raises what the flow raises: TIMEOUT, MCP_AUTH_REQUIRED, MCP_PROTOCOL, … */
  async logIn({ name, url, oauth: raw, flow, face, signal }: LoginWish): Promise<void> {
    const { logIn } = await import("../../mcp/client/auth/login-desk.ts");
    const oauth = await parse(flow === undefined ? raw : { ...raw, flow });
    await this.#withFetch(async (realFetch) =>
      logIn({
        store: await this.#open(),
        serverUrl: url,
        serverName: name,
        oauth,
        realFetch,
        face,
        clock,
        signal,
      }),
    );
  }

  async status(url: URL): Promise<LoginStatus> {
    const { readLoginStatus } = await import("../../mcp/client/auth/login-desk.ts");
    return readLoginStatus(await this.#open(), url, clock);
  }

  async logOut(url: URL): Promise<LogoutResult> {
    const { logOut } = await import("../../mcp/client/auth/login-desk.ts");
    return this.#withFetch(async (realFetch) => logOut(await this.#open(), url, realFetch));
  }

  async #withFetch<T>(work: (realFetch: typeof fetch) => Promise<T>): Promise<T> {
    const { createConnectionPool } = await import("../../mcp/client/http/connector.ts");
    const { createRealFetch } = await import("../../mcp/client/http/real-fetch.ts");
    const pool = createConnectionPool({ connectMs: 10_000, tlsMs: 10_000, connectionsMax: 4 });
    try {
      return await work(createRealFetch(pool) as typeof fetch);
    } finally {
      await pool.destroy();
    }
  }

  #open(): Promise<LoginStore> {
    this.#store ??= this.#make();
    return this.#store;
  }

  async #make(): Promise<LoginStore> {
    const [{ LoginStore: Store }, { createKeychain }] = await Promise.all([
      import("../../mcp/client/auth/login-store.ts"),
      import("../../process/keychain.ts"),
    ]);
    return Store.open({
      folder: this.#folder,
      keychain: createKeychain({ env: pick(sessionVariables) }),
    });
  }
}

async function parse(raw: Raw): Promise<OAuthOptions> {
  const { parseOAuthOptions } = await import("../../mcp/client/auth/oauth-options.ts");
  return parseOAuthOptions({ ...raw, kind: "oauth" });
}

/** Opens a page where there is a desktop; best effort. */
export function findBrowser(): LoginFace["openBrowser"] {
  const isDesktop = loadVariable("DISPLAY") ?? loadVariable("WAYLAND_DISPLAY");
  if (process.platform === "darwin") return (url) => start("open", url);
  return isDesktop === undefined ? undefined : (url) => start("xdg-open", url);
}

async function start(program: string, url: URL): Promise<void> {
  const env = pick([
    "PATH",
    "HOME",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    ...sessionVariables,
  ]);
  await runProgram(program, [url.href], { env, timeoutMs: 10_000 }).catch(() => undefined);
}

function pick(names: readonly string[]): Readonly<Record<string, string>> {
  const found = names.map((name) => [name, loadVariable(name)] as const);
  return Object.fromEntries(
    found.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
  );
}
