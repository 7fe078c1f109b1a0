/** Which places are spoken to, and how: https everywhere, plain http on this host alone. */
import { LuminaGuardError } from "../../../errors.ts";
import { invalidImage, quote } from "../invalid.ts";

/** The registry's address for a reference's host. */
export function registryOrigin(host: string): string {
  if (host === "docker.io") return "https://registry-1.docker.io";
  const scheme = isLoopback(hostnameOf(`https://${host}`)) ? "http" : "https";
  return `${scheme}://${host}`;
}

/**
 * A place that the registry sends us to. Raises IMAGE_INVALID for plain http but on this host, and for
 * this host itself where the registry is elsewhere: nobody outside has business with what listens here.
 */
export function checkPlace(place: string, registry: string, base: string = registry): URL {
  const url = URL.canParse(place, base) ? new URL(place, base) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:"))
    throw invalidImage(`the registry sends us to ${quote(place)}`);
  const isOfHost = isLoopback(url.hostname);
  if (url.protocol === "http:" && !isOfHost)
    throw invalidImage(`the registry sends us to ${quote(url.origin)}, which is not encrypted`);
  if (isOfHost && !isLoopback(new URL(registry).hostname))
    throw invalidImage(`the registry sends us to ${quote(url.origin)}, which is this host`);
  if (url.username !== "" || url.password !== "")
    throw invalidImage("the registry sends us to an address with a password in it");
  return url;
}

export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

function hostnameOf(url: string): string {
  if (URL.canParse(url)) return new URL(url).hostname;
  throw new LuminaGuardError("USAGE", `${quote(url)} is no address of a registry`);
}
