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
  if (url.protocol === "http:" && !isLoopback(url.hostname))
    throw invalidImage(`the registry sends us to ${quote(url.origin)}, which is not encrypted`);
  if (leadsHere(url.hostname) && !mayLeadHere(url, new URL(registry)))
    throw invalidImage(`the registry sends us to ${quote(url.origin)}, which is this host`);
  if (url.username !== "" || url.password !== "")
    throw invalidImage("the registry sends us to an address with a password in it");
  return url;
}

export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** A registry of this host may send us to others here, and any to itself. */
function mayLeadHere(url: URL, registry: URL): boolean {
  return isLoopback(registry.hostname) || url.origin === registry.origin;
}

/** Loopback by any of its names, as far as a name alone says it. */
function leadsHere(hostname: string): boolean {
  const name = hostname.replace(/\.$/, "");
  return (
    isLoopback(name) ||
    name.endsWith(".localhost") ||
    name === "[::]" ||
    // the whole block is "this host on this network" (RFC 1122, 3.2.1.3)
    /^0(?:\.\d{1,3}){3}$/.test(name) ||
    // 127.0.0.0/8 and 0.0.0.0/8 as IPv6 writes them (RFC 4291, 2.5.5.2)
    /^\[::ffff:(?:7f[0-9a-f]{2}|[0-9a-f]{1,2}):[0-9a-f]{1,4}\]$/.test(name)
  );
}

function hostnameOf(url: string): string {
  if (URL.canParse(url)) return new URL(url).hostname;
  throw new LuminaGuardError("USAGE", `${quote(url)} is no address of a registry`);
}
