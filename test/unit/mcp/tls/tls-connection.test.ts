/** Every fault of TLS against a real server on loopback, and what a person reads of it. */
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toTlsError } from "../../../../src/mcp/client/tls/tls-error.ts";
import { parseTlsOptions } from "../../../../src/mcp/client/tls/tls-options.ts";
import type { TlsOptions } from "../../../../src/mcp/client/tls/tls-options.ts";
import { createTlsSource } from "../../../../src/mcp/client/tls/tls-source.ts";
import type { TlsEvent } from "../../../../src/mcp/client/tls/tls-source.ts";
import { pinOf } from "../../../../src/mcp/client/tls/tls-pin.ts";
import { LuminaGuardError } from "../../../../src/errors.ts";
import { createAuthority } from "../../../support/certificates.ts";
import type { Authority, Pair } from "../../../support/certificates.ts";
import { askOnce, startTlsServer } from "../../../support/tls-server.ts";
import { projectFolder } from "../../../support/repository.ts";

let authority: Authority;
let good: Pair;

beforeAll(async () => {
  authority = await createAuthority();
  good = await authority.issue();
});

function ask(url: string, options: TlsOptions): Promise<string> {
  return askOnce(url, createTlsSource(parseTlsOptions(options))());
}

/** The reason a person reads, or what it was if it was not TLS. */
async function refusalOf(asked: Promise<string>): Promise<string> {
  const error: unknown = await asked.then(
    (answer) => new Error(`answered: ${answer}`),
    (failure: unknown) => failure,
  );
  const mapped = toTlsError(error, "https://there");
  if (mapped === undefined) throw error;
  expect(mapped.code).toBe("MCP_TLS");
  expect(mapped.hint).toBeTruthy();
  expect(mapped.cause).toBe(error);
  return mapped.message.replace("https://there: ", "");
}

describe("a TLS connection to an MCP server", () => {
  it("stands when the authority is named as text", async () => {
    await using server = await startTlsServer(good);
    expect(await ask(server.url, { ca: authority.cert })).toBe("nobody");
  });

  it("is refused when the authority is unknown", async () => {
    await using server = await startTlsServer(good);
    expect(await refusalOf(ask(server.url, {}))).toBe(
      "the server's certificate is from an unknown authority",
    );
    expect(server.requests()).toBe(0);
  });

  it("is refused when the certificate has expired", async () => {
    const expired = await authority.issue({ fromDays: -3, toDays: -1 });
    await using server = await startTlsServer(expired);
    expect(await refusalOf(ask(server.url, { ca: authority.cert }))).toBe(
      "the server's certificate has expired",
    );
  });

  it("is refused when the certificate is not valid yet", async () => {
    const early = await authority.issue({ fromDays: 1, toDays: 3 });
    await using server = await startTlsServer(early);
    expect(await refusalOf(ask(server.url, { ca: authority.cert }))).toBe(
      "the server's certificate is not valid yet",
    );
  });

  it("is refused when the certificate is for another name, unless that name is asked for", async () => {
    const other = await authority.issue({ hosts: ["mcp.example"] });
    await using server = await startTlsServer(other);
    const ca = authority.cert;
    expect(await refusalOf(ask(server.url, { ca }))).toBe(
      "the server's certificate is for another name",
    );
    expect(await ask(server.url, { ca, servername: "mcp.example" })).toBe("nobody");
  });

  it("is refused when the server speaks nothing newer than TLS 1.1 or than asked for", async () => {
    const ca = authority.cert;
    await using old = await startTlsServer({
      ...good,
      minVersion: "TLSv1.1",
      maxVersion: "TLSv1.1",
      ciphers: "DEFAULT@SECLEVEL=0",
    });
    expect(await refusalOf(ask(old.url, { ca }))).toMatch(/no TLS version in common/);
    await using modern = await startTlsServer({ ...good, maxVersion: "TLSv1.2" });
    expect(await ask(modern.url, { ca })).toBe("nobody");
    const strict = ask(modern.url, { ca, minVersion: "TLSv1.3" });
    expect(await refusalOf(strict)).toMatch(/no TLS version in common/);
  });

  it("is refused where a plain HTTP server listens", async () => {
    const plain = createServer((_request, response) => response.end()).listen(0, "127.0.0.1");
    await once(plain, "listening");
    const url = `https://127.0.0.1:${(plain.address() as AddressInfo).port}/`;
    expect(await refusalOf(ask(url, {}))).toBe("the server does not speak TLS there");
    plain.close();
  });

  it("is no TLS error when nobody listens", async () => {
    const error: unknown = await ask("https://127.0.0.1:1/", {}).catch((e: unknown) => e);
    expect(toTlsError(error, "https://there")).toBeUndefined();
  });
});

describe("a client certificate", () => {
  it.each(["TLSv1.2", "TLSv1.3"] as const)("that is missing is named, in %s", async (version) => {
    await using server = await startMutual({ maxVersion: version, minVersion: version });
    expect(await refusalOf(ask(server.url, { ca: authority.cert }))).toBe(
      "the server wants a client certificate",
    );
    expect(server.requests()).toBe(0);
  });

  // a server of Node's hangs up without a word; others send these alerts
  it.each(["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED"])(
    "that the server does not accept is told from one that is missing (%s)",
    (code) => {
      const wrapped = new TypeError("fetch failed", {
        cause: Object.assign(new Error("alert"), { code }),
      });
      expect(toTlsError(wrapped, "https://there")?.message).toBe(
        "https://there: the server does not accept the client certificate",
      );
    },
  );

  it("is shown to the server, from text", async () => {
    const alice = await authority.issue({ name: "alice" });
    await using server = await startMutual({});
    expect(await ask(server.url, { ca: authority.cert, ...alice })).toBe("alice");
  });

  it("whose key is another's is refused before any connection, and the key is not repeated", async () => {
    const alice = await authority.issue({ name: "alice" });
    const make = (): unknown => createTlsSource({ cert: alice.cert, key: good.key });
    expect(make).toThrow(/key is not the certificate's/);
    const error = catchOf(make);
    expect(error.code).toBe("MCP_TLS");
    expect(JSON.stringify([error.message, error.details, String(error.cause)])).not.toContain(
      good.key.split("\n")[1],
    );
  });
});

describe("certificate files", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "lumina-tls-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function write(name: string, text: string, atSeconds: number): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, text, { mode: 0o600 });
    await utimes(path, atSeconds, atSeconds);
    return path;
  }

  it("that change are used by the next connection, after a second at the latest", async () => {
    const [alice, bob] = await Promise.all([
      authority.issue({ name: "alice" }),
      authority.issue({ name: "bob" }),
    ]);
    let now = 0;
    const events: TlsEvent[] = [];
    await using server = await startMutual({});
    const cert = await write("client.pem", alice.cert, 1);
    const key = await write("client.key", alice.key, 1);
    const ca = await write("ca.pem", authority.cert, 1);
    const source = createTlsSource(
      { ca, cert, key },
      { clock: { now: () => now }, onEvent: (event) => events.push(event) },
    );
    const first = source();
    expect(await askOnce(server.url, first)).toBe("alice");

    await write("client.pem", bob.cert, 2);
    now += 999;
    expect(source()).toBe(first); // not looked at yet
    now += 1;
    expect(source()).toBe(first); // half replaced: the certificate is new, the key is old
    expect(events).toMatchObject([{ kind: "certificates-kept" }]);
    expect(await askOnce(server.url, source())).toBe("alice");

    await write("client.key", bob.key, 2);
    now += 1000;
    expect(await askOnce(server.url, source())).toBe("bob");
    expect(events.at(-1)).toEqual({ kind: "certificates-reloaded" });
    const last = source();
    now += 1000;
    expect(source()).toBe(last); // nothing changed: connections can resume their sessions

    await rm(cert);
    now += 1000;
    expect(await askOnce(server.url, source())).toBe("bob"); // gone: the last one stays
  });

  it("that are missing or are no PEM are named at the start", async () => {
    const noise = await write("noise.pem", "not a certificate", 1);
    expect(catchOf(() => createTlsSource({ ca: noise })).message).toMatch(/is not PEM/);
    const missing = join(folder, "missing.pem");
    expect(catchOf(() => createTlsSource({ ca: missing })).message).toMatch(/tls\.ca cannot be/);
  });
});

describe("a pin", () => {
  const otherPin = `${"A".repeat(43)}=`;

  it("lets a server with that key pass, also as one of several", async () => {
    await using server = await startTlsServer(good);
    const pins = [otherPin, pinOf(new X509Certificate(good.cert))];
    expect(await ask(server.url, { ca: authority.cert, pins })).toBe("nobody");
  });

  it("refuses a trusted server with another key", async () => {
    await using server = await startTlsServer(good);
    const asked = ask(server.url, { ca: authority.cert, pins: [otherPin] });
    expect(await refusalOf(asked)).toBe("the server's public key is not pinned");
    expect(server.requests()).toBe(0);
  });

  it("refuses a server whose authority alone is pinned: what it sends along proves nothing", async () => {
    await using server = await startTlsServer({ ...good, cert: `${good.cert}\n${authority.cert}` });
    const pins = [pinOf(new X509Certificate(authority.cert))];
    const asked = ask(server.url, { ca: authority.cert, pins });
    expect(await refusalOf(asked)).toBe("the server's public key is not pinned");
  });

  it("does not replace the other checks: neither authority nor name", async () => {
    const other = await authority.issue({ hosts: ["mcp.example"] });
    await using server = await startTlsServer(other);
    const pins = [pinOf(new X509Certificate(other.cert))];
    expect(await refusalOf(ask(server.url, { pins }))).toMatch(/unknown authority/);
    expect(await refusalOf(ask(server.url, { pins, ca: authority.cert }))).toMatch(/another name/);
  });
});

describe("NODE_TLS_REJECT_UNAUTHORIZED=0", () => {
  it("switches verification off for Node and not for LuminaGuard", async () => {
    await using server = await startTlsServer(good);
    const program = join(projectFolder, "test/fixtures/ask-tls.mjs");
    const { stdout } = await promisify(execFile)(process.execPath, [program, server.url], {
      env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
    });
    expect(stdout).toBe("ours: UNABLE_TO_VERIFY_LEAF_SIGNATURE, node's: answered");
  });
});

describe("TLS options", () => {
  it.each([
    [{ rejectUnauthorized: false }, /tls\.rejectUnauthorized is not understood/],
    [{ minVersion: "TLSv1.1" }, /tls\.minVersion/],
    [{ pins: [] }, /tls\.pins/],
    [{ pins: ["sha256/abc"] }, /tls\.pins/],
    [{ cert: "a.pem" }, /tls is not understood/],
    ["secret", /tls is not understood/],
  ])("%j are refused", (options, message) => {
    const error = catchOf(() => parseTlsOptions(options));
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain("secret");
  });
});

function startMutual(options: object): ReturnType<typeof startTlsServer> {
  const trust = { ca: authority.cert, requestCert: true, rejectUnauthorized: true };
  return startTlsServer({ ...good, ...trust, ...options });
}

function catchOf(work: () => unknown): LuminaGuardError {
  try {
    work();
  } catch (error) {
    if (error instanceof LuminaGuardError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
