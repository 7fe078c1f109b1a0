// The echo server behind an authorization server that gives tokens to one program (OAuth 2.0, RFC 6749, section 4.4).
import { randomBytes } from "node:crypto";
import { startEchoServer } from "./echo-server.mjs";

/** Gives the server's address, who issues its tokens, and what ends it. */
export async function startLoginServer({ clientId, clientSecret }) {
  const token = randomBytes(16).toString("hex");
  const basic = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}`;
  const pages = {
    "/.well-known/oauth-protected-resource/mcp": (issuer) => ({
      resource: `${issuer}/mcp`,
      authorization_servers: [issuer],
    }),
    "/.well-known/oauth-authorization-server": (issuer) => ({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      response_types_supported: ["code"],
      grant_types_supported: ["client_credentials"],
      code_challenge_methods_supported: ["S256"],
      token_endpoint_auth_methods_supported: ["client_secret_basic"],
    }),
    "/token": (_issuer, request) =>
      request.headers.authorization === basic
        ? { access_token: token, token_type: "Bearer", expires_in: 3600 }
        : undefined,
  };
  const guard = (request, response) => {
    const issuer = `http://${request.headers.host}`;
    if (request.headers.authorization === `Bearer ${token}`) return false;
    const page = pages[request.url]?.(issuer, request);
    const metadata = `${issuer}/.well-known/oauth-protected-resource/mcp`;
    if (page === undefined) {
      response.writeHead(401, { "www-authenticate": `Bearer resource_metadata="${metadata}"` });
      response.end();
    } else {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(page));
    }
    return true;
  };
  const server = await startEchoServer({ guard });
  return { ...server, issuer: new URL(server.url).origin };
}
