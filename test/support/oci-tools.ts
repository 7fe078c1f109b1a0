/** Debian's own tools for images: what makes them, serves them and moves them. */
import { execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";

const exec = promisify(execFile);
/** `umoci` and `skopeo` set owners and devices, which takes root. */
export const ociTools: readonly string[] = ["docker-registry", "skopeo", "umoci"].filter(
  (name) => spawnSync(name, ["--version"]).error !== undefined,
);
const isRoot = process.getuid?.() === 0;
export const ociSkipReason: string | undefined =
  ociTools.length > 0
    ? `missing: apt-get install --no-install-recommends ${ociTools.join(" ")}`
    : isRoot
      ? undefined
      : "umoci keeps owners only as root";
if (ociSkipReason !== undefined)
  console.warn(`tests with Debian's registry are skipped: ${ociSkipReason}`);

/** Runs a tool to its end; its words are in the error where it fails. */
export async function tool(name: string, args: readonly string[], cwd?: string): Promise<string> {
  const { stdout } = await exec(name, [...args], {
    cwd,
    maxBuffer: 64 * 1024 * 1024,
    timeout: 120_000,
  });
  return stdout;
}

/** A layout with one image, whose layers are these folders from the lowest up. */
export async function makeLayout(
  layout: string,
  roots: readonly string[],
  config: readonly string[] = [],
): Promise<void> {
  const image = ["--image", `${layout}:1`];
  await tool("umoci", ["init", "--layout", layout]);
  await tool("umoci", ["new", ...image]);
  for (const root of roots) await tool("umoci", ["insert", ...image, root, "/"]);
  if (config.length > 0) await tool("umoci", ["config", ...image, ...config]);
}

/** The files of Debian packages, unpacked as they are. */
export function unpackDebs(debs: readonly string[], root: string): void {
  mkdirSync(root, { recursive: true });
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    mkdirSync(join(root, "usr", name), { recursive: true });
    execFileSync("ln", ["-sfn", `usr/${name}`, join(root, name)]);
  }
  const script =
    'for deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink; done';
  execFileSync("sh", ["-c", script, "sh", ...debs], { cwd: root });
  for (const left of ["usr/share/doc", "usr/share/man", "usr/share/locale"]) {
    rmSync(join(root, left), { recursive: true, force: true });
  }
}

export interface Registry extends AsyncDisposable {
  /** as a reference says it */
  readonly host: string;
}

/** Debian's docker-registry on loopback, for one user with a password. */
export async function serveRegistry(
  folder: string,
  user: string,
  password: string,
): Promise<Registry> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const hash = execFileSync(
    "perl",
    ["-e", "print crypt($ARGV[0], q($2b$05$abcdefghijklmnopqrstuu))", password],
    { encoding: "utf8" },
  );
  writeFileSync(join(folder, "users"), `${user}:${hash}\n`);
  const config = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, "data") } },
    http: { addr: `127.0.0.1:${port}` },
    auth: { htpasswd: { realm: "test", path: join(folder, "users") } },
  };
  writeFileSync(join(folder, "config.yml"), JSON.stringify(config));
  const child = spawn("docker-registry", ["serve", join(folder, "config.yml")], {
    stdio: "ignore",
  });
  const host = `127.0.0.1:${port}`;
  await answers(`http://${host}/v2/`);
  return {
    host,
    [Symbol.asyncDispose]: async () => {
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGKILL");
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Polls, for the registry says nothing when it is ready. */
async function answers(url: string): Promise<void> {
  const isThere = (): Promise<boolean> =>
    fetch(url).then(
      () => true,
      () => false,
    );
  await eventually("docker-registry answers", isThere, 20_000);
}
