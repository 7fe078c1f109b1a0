/**
 * Names of images in registries: `host[:port]/repository[:tag][@digest]`. The host is always said:
 * a name without one is a local name, so nothing is ever fetched from a place nobody named.
 * Grammar: the reference package of the distribution project.
 */
import { LuminaGuardError } from "../../errors.ts";
import { quote } from "./invalid.ts";
import { isDigest } from "./descriptor.ts";
import type { Digest } from "./descriptor.ts";

export interface ImageReference {
  /** with its port where it has one */
  readonly host: string;
  readonly repository: string;
  /** "latest" where neither tag nor digest is given */
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const hostPattern =
  /^(?:localhost|(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const repositoryPattern =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const textMax = 512;

/** Whether the text begins with a registry's host, and so is no local name. */
export function namesRegistry(text: string): boolean {
  const slash = text.indexOf("/");
  return slash > 0 && isHost(text.slice(0, slash));
}

/** USAGE where the text is not a reference with a host. */
export function parseReference(text: string): ImageReference {
  if (!namesRegistry(text)) {
    throw new LuminaGuardError("USAGE", `${quote(text)} names no registry`, {
      hint: `write the registry's host before it, as in: docker.io/${hintFor(text)}`,
    });
  }
  const slash = text.indexOf("/");
  const host = text.slice(0, slash);
  const { path, tag, digest } = splitName(text.slice(slash + 1));
  if (text.length > textMax || !hostPattern.test(host)) throw notReference(text, "host");
  if (!repositoryPattern.test(path)) throw notReference(text, "repository, which is in lower case");
  if (tag !== undefined && !tagPattern.test(tag)) throw notReference(text, "tag");
  if (digest !== undefined && !isDigest(digest))
    throw notReference(text, "digest: sha256: and 64 hex digits");
  const latest = tag === undefined && digest === undefined ? "latest" : tag;
  return { ...whereIs(host, path), tag: latest, digest };
}

function splitName(text: string): { path: string; tag?: string; digest?: string } {
  const at = text.indexOf("@");
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  return {
    path: colon < 0 ? named : named.slice(0, colon),
    ...(colon < 0 ? {} : { tag: named.slice(colon + 1) }),
    ...(at < 0 ? {} : { digest: text.slice(at + 1) }),
  };
}

/** Docker Hub has two names, and its own images are in a repository that nobody writes. */
function whereIs(host: string, path: string): Pick<ImageReference, "host" | "repository"> {
  if (host !== "docker.io" && host !== "index.docker.io") return { host, repository: path };
  return { host: "docker.io", repository: path.includes("/") ? path : `library/${path}` };
}

/** The one way to write it. */
export function renderReference({ host, repository, tag, digest }: ImageReference): string {
  const named = tag === undefined ? "" : `:${tag}`;
  return `${host}/${repository}${named}${digest === undefined ? "" : `@${digest}`}`;
}

function isHost(text: string): boolean {
  return text.includes(".") || text.includes(":") || text === "localhost";
}

function hintFor(text: string): string {
  const plain = text.replace(/^\/+/, "").toLowerCase();
  return repositoryPattern.test(plain.split(/[:@]/)[0] ?? "") ? plain : "debian:12";
}

function notReference(text: string, part: string): LuminaGuardError {
  return new LuminaGuardError(
    "USAGE",
    `${quote(text)} is no image reference: look at its ${part}`,
    {
      hint: "the form is HOST[:PORT]/REPOSITORY[:TAG][@sha256:…]",
    },
  );
}
