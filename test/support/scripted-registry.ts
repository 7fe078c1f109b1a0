/** A registry in this process that fails as it is told to, and writes down what it was asked. */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
}

/** Answers in place of the registry; false leaves the request to it. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface ScriptedRegistry extends AsyncDisposable {
  /** as a reference says it */
  readonly host: string;
  readonly asked: Asked[];
  /** keeps the bytes; gives their digest */
  readonly put: (bytes: Buffer) => `sha256:${string}`;
  readonly tag: (name: string, digest: string, mediaType: string) => void;
  /** asked first, in turn */
  readonly faults: Fault[];
}

export function digestOf(bytes: Buffer): `sha256:${string}` {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export async function startRegistry(address = "127.0.0.1"): Promise<ScriptedRegistry> {
  const blobs = new Map<string, Buffer>();
  const tags = new Map<string, { digest: string; mediaType: string }>();
  const asked: Asked[] = [];
  const faults: Fault[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push({ path, headers: request.headers });
    if (faults.some((fault) => fault(request, response))) return;
    const [, kind, name = ""] = /\/(manifests|blobs)\/([^/?]+)$/.exec(path) ?? [];
    const tagged = tags.get(name);
    const bytes = blobs.get(tagged?.digest ?? name);
    if (kind === undefined || bytes === undefined) response.writeHead(404).end();
    else sendBytes(request, response, bytes, tagged?.mediaType ?? typeOf(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return {
    host: `${address}:${(server.address() as AddressInfo).port}`,
    asked,
    faults,
    put: (bytes) => {
      blobs.set(digestOf(bytes), bytes);
      return digestOf(bytes);
    },
    tag: (name, digest, mediaType) => tags.set(name, { digest, mediaType }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  mediaType: string,
): void {
  const start = /^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1];
  const from = Number(start ?? 0);
  const rest = bytes.subarray(from);
  const headers = { "content-type": mediaType, "content-length": rest.length };
  const range = { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
  if (start === undefined) response.writeHead(200, headers).end(rest);
  else response.writeHead(206, { ...headers, ...range }).end(rest);
}

function typeOf(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  return /"mediaType":"([^"]+)"/.exec(text)?.[1] ?? "application/octet-stream";
}

export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

interface PutImage {
  /** archives, packed or not */
  readonly layers: readonly Buffer[];
  /** of the archives unpacked */
  readonly diffIds: readonly string[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly architecture?: string;
}

/** Puts an image of these layers there; gives its manifest's digest. */
export function putImage(registry: ScriptedRegistry, image: PutImage): `sha256:${string}` {
  const { layers, diffIds, config = {}, architecture = "amd64" } = image;
  const describe = (bytes: Buffer, mediaType: string): object => ({
    mediaType,
    digest: registry.put(bytes),
    size: bytes.length,
  });
  const text = { architecture, os: "linux", config, rootfs: { type: "layers", diff_ids: diffIds } };
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: describe(Buffer.from(JSON.stringify(text)), "application/vnd.oci.image.config.v1+json"),
    layers: layers.map((layer) => describe(layer, mediaTypes.layer)),
  };
  return registry.put(Buffer.from(JSON.stringify(manifest)));
}
