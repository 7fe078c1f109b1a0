/** Endpoints of an authorization server that the SDK's types of its metadata leave out. */
import type { OAuthServerInfo } from "@modelcontextprotocol/client";

/** Address of an endpoint (RFC 8414, section 2; RFC 8628, section 4); undefined where it has none. */
export function endpointOf(
  metadata: OAuthServerInfo["authorizationServerMetadata"],
  name: "revocation_endpoint" | "device_authorization_endpoint",
): string | undefined {
  const value: unknown = metadata === undefined ? undefined : Reflect.get(metadata, name);
  return typeof value === "string" && URL.canParse(value) ? value : undefined;
}
