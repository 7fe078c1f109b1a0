/** Registries and proxies: who is asked, and what each of them hears. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { createImageStore } from "../../../../src/image/image-store.ts";
import type { Image } from "../../../../src/image/image-store.ts";
import { makeTar } from "../../../support/make-tar.ts";
import { makeTempDir } from "../../../support/make-tree.ts";
import {
  digestOf,
  mediaTypes,
  putImage,
  startRegistry,
} from "../../../support/scripted-registry.ts";
import { makeImage } from "../make-image.ts";

const temp = makeTempDir();
afterAll(() => temp[Symbol.dispose]());
const archive = makeTar([{ path: "file", content: "text" }]);
let stores = 0;
let cacheDir = "";
let base: Image;

beforeEach(async () => {
  stores += 1;
  cacheDir = join(temp.path, `cache-${stores}`);
  await mkdir(cacheDir);
  await makeImage(cacheDir, "base");
  base = await createImageStore({ cacheDir }).open("base");
});

async function pull(
  reference: string,
  env: Readonly<Record<string, string>>,
  dockerConfigPath?: string,
): Promise<Image> {
  const retry = { triesMax: 2, firstWaitMs: 1, waitMsMax: 20 };
  const store = createImageStore({ cacheDir, env });
  return store.pull({ reference, base, retry, dockerConfigPath });
}

describe("a proxy", () => {
  async function startProxy(): Promise<{
    readonly url: string;
    readonly heard: string[];
    readonly close: () => void;
  }> {
    const heard: string[] = [];
    const proxy = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", (bytes: Buffer) => {
        heard.push(bytes.toString("latin1"));
        socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
      });
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const { port } = proxy.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}`, heard, close: () => proxy.close() };
  }

  test("never hears of a registry on this host, whatever its address, where nothing is encrypted", async () => {
    const proxy = await startProxy();
    const other = await startRegistry("127.0.0.2");
    const digest = putImage(other, { layers: [archive], diffIds: [digestOf(archive)] });
    other.tag("1", digest, mediaTypes.manifest);
    const env = { http_proxy: proxy.url, https_proxy: proxy.url };
    const image = await pull(`${other.host}/team/tools:1`, env);
    await other[Symbol.asyncDispose]();
    proxy.close();
    expect(image.manifest.kind).toBe("oci");
    expect(proxy.heard).toEqual([]);
  });

  test("is asked for a tunnel to a registry elsewhere, and is shown no login", async () => {
    const proxy = await startProxy();
    const env = { https_proxy: proxy.url };
    const auth = Buffer.from("me:correct-horse").toString("base64");
    const dockerConfigPath = join(temp.path, `config-proxy-${stores}.json`);
    writeFileSync(dockerConfigPath, JSON.stringify({ auths: { "registry.example": { auth } } }));
    await expect(
      pull("registry.example/team/tools:1", env, dockerConfigPath),
    ).rejects.toMatchObject({ code: "IMAGE_PULL_FAILED" });
    proxy.close();
    expect(proxy.heard.length).toBeGreaterThan(0);
    for (const said of proxy.heard) {
      expect(said).toMatch(/^CONNECT registry\.example:443 /);
      expect(said).not.toContain(auth);
    }
  });

  test("is left out for the hosts that no_proxy names", async () => {
    const proxy = await startProxy();
    const env = { https_proxy: proxy.url, no_proxy: "registry.invalid" };
    await expect(pull("registry.invalid/team/tools:1", env)).rejects.toMatchObject({
      code: "IMAGE_PULL_FAILED",
    });
    proxy.close();
    expect(proxy.heard).toEqual([]);
  });
});
