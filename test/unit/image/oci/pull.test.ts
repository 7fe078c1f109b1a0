/** Pulling from a registry that fails in every way it can. */
import { once } from "node:events";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { createImageStore } from "../../../../src/image/image-store.ts";
import type { Image, ImageStore } from "../../../../src/image/image-store.ts";
import type { PullRequest } from "../../../../src/image/oci/request.ts";
import { makeTar } from "../../../support/make-tar.ts";
import { makeTempDir } from "../../../support/make-tree.ts";
import {
  digestOf,
  mediaTypes,
  putImage,
  startRegistry,
} from "../../../support/scripted-registry.ts";
import type { Fault, ScriptedRegistry } from "../../../support/scripted-registry.ts";
import { makeImage } from "../make-image.ts";

const temp = makeTempDir();
afterAll(() => temp[Symbol.dispose]());
let stores = 0;
let cacheDir = "";
let store: ImageStore;
let base: Image;
let registry: ScriptedRegistry;

const large = Buffer.alloc(3_000_000, "content of a layer that does not pack into nothing ");
const archive = makeTar([
  { path: "etc/passwd", content: "root:x:0:0::/root:/bin/sh\n" },
  { path: "large", content: large },
]);
const config = {
  Env: ["A=1"],
  Entrypoint: ["/run"],
  Cmd: ["me"],
  WorkingDir: "/srv",
  User: "root",
};

beforeEach(async () => {
  stores += 1;
  cacheDir = join(temp.path, `cache-${stores}`);
  await mkdir(cacheDir);
  store = createImageStore({ cacheDir });
  await makeImage(cacheDir, "base");
  base = await store.open("base");
  registry = await startRegistry();
});
afterEach(async () => registry[Symbol.asyncDispose]());

function putTagged(tag = "1", layers: readonly Buffer[] = [archive]): string {
  const digest = putImage(registry, {
    layers,
    diffIds: layers.map(() => digestOf(archive)),
    config,
  });
  registry.tag(tag, digest, mediaTypes.manifest);
  return `${registry.host}/team/tools:${tag}`;
}

async function pull(reference: string, more: Partial<PullRequest> = {}): Promise<Image> {
  const retry = { triesMax: 3, firstWaitMs: 1, waitMsMax: 20 };
  return store.pull({ reference, base, retry, ...more });
}

const isBlob = (path: string | undefined): boolean => path?.includes("/blobs/") === true;
/** The first so many requests that fit get this answer. */
function times(count: number, fits: (path: string) => boolean, answer: Fault): Fault {
  let left = count;
  return (request, response) => {
    if (left === 0 || !fits(request.url ?? "")) return false;
    left -= 1;
    return answer(request, response);
  };
}

describe("an image of a registry", () => {
  test("is kept under its reference, with what it says of its program", async () => {
    const reference = putTagged();
    const image = await pull(reference);
    expect(image.manifest).toMatchObject({
      kind: "oci",
      container: {
        entrypoint: ["/run"],
        cmd: ["me"],
        env: { A: "1" },
        user: "0:0",
        workdir: "/srv",
      },
    });
    expect((await store.open(reference)).digest).toBe(image.digest);
    expect((await store.list()).map(({ name }) => name)).toEqual([reference, "base"]);
    await store.remove(reference);
    await expect(store.open(reference)).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
  });

  test("is the same image, byte for byte, packed or not", async () => {
    const plain = await pull(putTagged("1"));
    const packed = await pull(putTagged("2", [gzipSync(archive)]), { name: "packed" });
    expect(packed.digest).toBe(plain.digest);
    expect(packed.name).toBe("packed");
  });

  test("is chosen from an index by the processor it is for", async () => {
    const own = putImage(registry, { layers: [archive], diffIds: [digestOf(archive)] });
    const foreign = putImage(registry, { layers: [], diffIds: [], architecture: "s390x" });
    const entry = (digest: string, architecture: string): object => ({
      mediaType: mediaTypes.manifest,
      digest,
      size: 1,
      platform: { os: "linux", architecture },
    });
    const index = (entries: readonly object[]): Buffer =>
      Buffer.from(
        JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: entries }),
      );
    const ours = base.manifest.arch;
    const both = registry.put(index([entry(foreign, "s390x"), entry(own, ours)]));
    await expect(pull(`${registry.host}/x@${both}`)).resolves.toMatchObject({
      manifest: { kind: "oci" },
    });
    const none = registry.put(index([entry(foreign, "s390x")]));
    await expect(pull(`${registry.host}/x@${none}`)).rejects.toThrow("linux/s390x");
  });

  test("is not found with the way to look for it", async () => {
    await expect(pull(`${registry.host}/none:1`)).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
    });
    await expect(store.pull({ reference: "debian:12", base })).rejects.toMatchObject({
      code: "USAGE",
    });
  });
});

describe("a registry that fails", () => {
  test("by cutting the connection is gone on with where it was cut", async () => {
    const reference = putTagged();
    const cut: Fault = (request, response) => {
      const from = Number(/\d+/.exec(request.headers.range ?? "0")?.[0]);
      response.writeHead(from > 0 ? 206 : 200, {
        "content-length": archive.length - from,
        "content-range": `bytes ${from}-${archive.length - 1}/${archive.length}`,
      });
      response.write(archive.subarray(from, from + 1_000_000), () => response.destroy());
      return true;
    };
    const layer = digestOf(archive);
    registry.faults.push(times(2, (path) => path.endsWith(layer), cut));
    await pull(reference);
    const ranges = registry.asked
      .filter(({ path }) => path.endsWith(layer))
      .map(({ headers }) => headers.range);
    expect(ranges.length).toBe(3);
    expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ""))).toBe(true);
  });

  test("keeps what came for the next pull, of another process too", async () => {
    const reference = putTagged();
    const layer = digestOf(archive);
    const folder = join(cacheDir, "blobs");
    await mkdir(folder);
    // pid 1 with another start is a process that is gone
    writeFileSync(
      join(folder, `${layer.replace(":", "-")}.part-1-1`),
      archive.subarray(0, 2_000_000),
    );
    await pull(reference);
    const asked = registry.asked.find(({ path }) => path.endsWith(layer));
    expect(asked?.headers.range).toBe("bytes=2000000-");
    expect(readdirSync(folder).filter((name) => name.includes("part"))).toEqual([]);
  });

  test("is begun anew where what lay there is not the blob's beginning", async () => {
    const reference = putTagged();
    const name = digestOf(archive).replace(":", "-");
    await mkdir(join(cacheDir, "blobs"));
    writeFileSync(join(cacheDir, "blobs", `${name}.part-1-1`), Buffer.alloc(1000, "other"));
    await pull(reference);
    expect(readFileSync(join(cacheDir, "blobs", name)).equals(archive)).toBe(true);
  });

  test("with 429 and 503 is asked again, after the time it wants", async () => {
    const reference = putTagged();
    const busy =
      (status: number): Fault =>
      (_request, response) => {
        response.writeHead(status, { "retry-after": "0" }).end();
        return true;
      };
    registry.faults.push(
      times(1, (path) => path.includes("manifests"), busy(429)),
      times(2, isBlob, busy(503)),
    );
    await pull(reference);
    registry.faults.push(times(9, isBlob, busy(503)));
    await expect(pull(putTagged("2", [gzipSync(archive)]))).rejects.toMatchObject({
      code: "IMAGE_PULL_FAILED",
    });
  });

  test("with other bytes than the digest says is refused, and nothing of them is kept", async () => {
    const reference = putTagged();
    const wrong: Fault = (_request, response) => {
      const bytes = Buffer.alloc(archive.length, "wrong");
      response.writeHead(200, { "content-length": bytes.length }).end(bytes);
      return true;
    };
    registry.faults.push(times(9, (path) => path.endsWith(digestOf(archive)), wrong));
    await expect(pull(reference)).rejects.toMatchObject({ code: "IMAGE_INVALID" });
    await expect(store.open(reference)).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
    registry.faults.length = 0;
    await expect(pull(reference)).resolves.toMatchObject({ name: reference });
  });

  test("with more bytes than the manifest says, or too many, is refused", async () => {
    const reference = putTagged();
    const more: Fault = (_request, response) => {
      response.writeHead(200).end(Buffer.concat([archive, Buffer.alloc(1_000_000)]));
      return true;
    };
    registry.faults.push(times(9, (path) => path.endsWith(digestOf(archive)), more));
    await expect(pull(reference)).rejects.toThrow("larger than");
    registry.faults.length = 0;
    await expect(pull(reference, { limits: { layerBytesMax: 1000 } })).rejects.toThrow(
      "a layer is over",
    );
    await expect(pull(reference, { limits: { manifestBytesMax: 10 } })).rejects.toThrow(
      "over 10 bytes",
    );
  });

  test("by never answering is given up at the deadline, and at the caller's word", async () => {
    const reference = putTagged();
    registry.faults.push(
      times(
        9,
        () => true,
        () => true,
      ),
    );
    await expect(pull(reference, { timeoutMs: 50 })).rejects.toMatchObject({ code: "TIMEOUT" });
    const controller = new AbortController();
    const waiting = store.pull({ reference, base }, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });
});

describe("a registry that asks who we are", () => {
  const credentials = Buffer.from("ada:secret").toString("base64");
  function dockerConfig(): string {
    const path = join(temp.path, `config-${stores}.json`);
    writeFileSync(path, JSON.stringify({ auths: { [registry.host]: { auth: credentials } } }));
    return path;
  }
  const challenge =
    (want: string, header: string): Fault =>
    (request, response) => {
      if (request.headers.authorization === want) return false;
      response.writeHead(401, { "www-authenticate": header }).end();
      return true;
    };

  test("by Basic is shown the login that was named, and none without one", async () => {
    const reference = putTagged();
    registry.faults.push(challenge(`Basic ${credentials}`, 'Basic realm="r"'));
    await expect(pull(reference)).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
    await pull(reference, { dockerConfigPath: dockerConfig() });
  });

  test("by token is shown a token to read this repository, and nothing else", async () => {
    const reference = putTagged();
    const token: Fault = ({ url = "", headers }, response) => {
      if (!url.startsWith("/token")) return false;
      expect(url).toContain("scope=repository%3Ateam%2Ftools%3Apull");
      expect(url).not.toContain("push");
      expect(headers.authorization).toBe(`Basic ${credentials}`);
      response.writeHead(200).end(JSON.stringify({ token: "t0ken" }));
      return true;
    };
    const realm = `Bearer realm="http://${registry.host}/token",service="s",scope="repository:all:pull,push"`;
    registry.faults.push(token, challenge("Bearer t0ken", realm));
    await pull(reference, { dockerConfigPath: dockerConfig() });
  });

  test("at another place is shown no login of the registry's, and neither is its store of blobs", async () => {
    await using other = await startRegistry();
    const reference = putTagged();
    other.put(archive);
    other.faults.push((request, response) => {
      if (request.url?.startsWith("/token") !== true) return false;
      response.writeHead(200).end(JSON.stringify({ access_token: "anonymous" }));
      return true;
    });
    const realm = `Bearer realm="http://${other.host}/token",service="s"`;
    registry.faults.push(challenge("Bearer anonymous", realm), (request, response) => {
      if (request.url?.endsWith(digestOf(archive)) !== true) return false;
      response
        .writeHead(307, { location: `http://${other.host}/blobs/${digestOf(archive)}` })
        .end();
      return true;
    });
    await pull(reference, { dockerConfigPath: dockerConfig() });
    expect(other.asked.length).toBe(2);
    expect(other.asked.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  test("at a place where nothing is encrypted is shown no login and asked for no token", async () => {
    const reference = putTagged();
    const realm = 'Bearer realm="http://login.example/token",service="s"';
    registry.faults.push(challenge("Bearer t0ken", realm));
    await expect(pull(reference, { dockerConfigPath: dockerConfig() })).rejects.toMatchObject({
      code: "IMAGE_INVALID",
      message: expect.stringContaining("not encrypted") as string,
    });
    expect(registry.asked.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test("elsewhere than on this host is spoken to in TLS from the first byte, with a login too", async () => {
    const came: Buffer[] = [];
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", (bytes: Buffer) => {
        came.push(bytes);
        socket.end("HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm=r\r\n\r\n");
      });
    });
    server.listen(0, "0.0.0.0");
    await once(server, "listening");
    // no address of loopback, and yet one that leads here
    const host = `0.0.0.0:${(server.address() as AddressInfo).port}`;
    const dockerConfigPath = join(temp.path, `config-plain-${stores}.json`);
    writeFileSync(dockerConfigPath, JSON.stringify({ auths: { [host]: { auth: credentials } } }));
    const failure = await pull(`${host}/team/tools:1`, { dockerConfigPath }).catch(
      (error: unknown) => error,
    );
    server.close();
    const handshake = 0x16; // of a TLS record, RFC 8446, 5.1
    expect(came.length).toBeGreaterThan(0);
    expect(came.every(([first]) => first === handshake)).toBe(true);
    expect(Buffer.concat(came).toString("latin1")).not.toContain(credentials);
    expect(failure).toMatchObject({ code: "IMAGE_PULL_FAILED" });
  });

  test("and sends us on from its tokens' place is shown no login there", async () => {
    await using other = await startRegistry();
    const reference = putTagged();
    other.faults.push((_request, response) => {
      response.writeHead(200).end(JSON.stringify({ token: "t0ken" }));
      return true;
    });
    const sendOn: Fault = ({ url = "", headers }, response) => {
      if (!url.startsWith("/token")) return false;
      expect(headers.authorization).toBe(`Basic ${credentials}`);
      response.writeHead(307, { location: `http://${other.host}/token` }).end();
      return true;
    };
    const realm = `Bearer realm="http://${registry.host}/token",service="s"`;
    registry.faults.push(sendOn, challenge("Bearer t0ken", realm));
    await pull(reference, { dockerConfigPath: dockerConfig() });
    expect(other.asked.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test("by sending us where nothing is encrypted is refused", async () => {
    const reference = putTagged();
    registry.faults.push(
      times(1, isBlob, (_request, response) => {
        response.writeHead(307, { location: "http://blobs.example/x" }).end();
        return true;
      }),
    );
    await expect(pull(reference)).rejects.toThrow("not encrypted");
  });
});
