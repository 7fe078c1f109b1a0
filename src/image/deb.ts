/**
 * Reads what is in a Debian package without running its scripts: `dpkg-deb` unpacks the archive to
 * a tar stream, which is read entry by entry. Paths come out relative to `/`, and merged the way
 * Debian is since 12: `bin/sh` is `usr/bin/sh`.
 */
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import type { Headers } from "tar-stream";
import { LuminaGuardError } from "../errors.ts";
import type { HostTools } from "./host-tools.ts";

interface DebNode {
  /** below `/`, without leading or trailing slash; "" is the root */
  readonly path: string;
  /** permission bits */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** last change, in whole seconds since 1970 */
  readonly mtimeS: number;
}

export type DebEntry =
  | (DebNode & { readonly kind: "file"; readonly bytes: number; readonly content: Readable })
  | (DebNode & { readonly kind: "directory" })
  | (DebNode & { readonly kind: "symlink"; readonly target: string })
  /** `target` is the path, below `/`, of a file that came before */
  | (DebNode & { readonly kind: "link"; readonly target: string });

/** longest time to unpack one package, in `ms` */
const unpackTimeoutMs = 600_000;

/**
 * Calls `visit` for each entry of the package, one after the other. What is left of a file's
 * content is passed over.
 */
export async function readDeb(
  tools: HostTools,
  debPath: string,
  visit: (entry: DebEntry) => Promise<void> | void,
): Promise<void> {
  const { stdout, done } = tools.stream("dpkg-deb", ["--fsys-tarfile", debPath], {
    timeoutMs: unpackTimeoutMs,
  });
  const unpack = extract();
  let visitFailure: { readonly error: unknown } | undefined;
  const visitAll = async (): Promise<void> => {
    for await (const source of unpack) {
      const entry = parseEntry(source.header, source, debPath);
      try {
        if (entry !== undefined) await visit(entry);
      } catch (error) {
        visitFailure = { error };
        throw error;
      }
      source.resume();
    }
  };
  const [ended, read, piped] = await Promise.allSettled([
    done,
    visitAll(),
    pipeline(stdout, unpack),
  ]);
  if (visitFailure !== undefined) throw visitFailure.error;
  for (const outcome of [ended, read, piped]) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}

function parseEntry(header: Headers, content: Readable, debPath: string): DebEntry | undefined {
  const node = parseNode(header, debPath);
  const target = header.linkname ?? "";
  switch (header.type) {
    case "directory":
      return { ...node, kind: "directory" };
    case "symlink":
      return { ...node, kind: "symlink", target };
    case "link":
      return { ...node, kind: "link", target: mergedPath(target, debPath) };
    case "file":
      return { ...node, kind: "file", bytes: header.size ?? 0, content };
    default:
      return undefined; // devices and pipes: the machine has its own /dev
  }
}

function parseNode(header: Headers, debPath: string): DebNode {
  return {
    path: mergedPath(header.name, debPath),
    mode: (header.mode ?? 0) & 0o7777,
    uid: header.uid ?? 0,
    gid: header.gid ?? 0,
    mtimeS: Math.floor((header.mtime?.getTime() ?? 0) / 1000),
  };
}

const mergedFolder = /^(?:bin|sbin|lib|lib32|lib64|libx32)(?:\/|$)/;

/** Debian's /usr merge, on a path as tar has it; refuses one that leaves the root. */
export function mergedPath(name: string, what: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) {
    throw new LuminaGuardError(
      "IMAGE_BUILD_FAILED",
      `${what} has a path that leaves the root: ${name}`,
    );
  }
  const path = parts.join("/");
  return mergedFolder.test(path) ? `usr/${path}` : path;
}
