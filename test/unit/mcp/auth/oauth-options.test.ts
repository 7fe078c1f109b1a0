/** What may be said about a login, and what is refused without repeating it. */
import { describe, expect, it } from "vitest";
import { parseOAuthOptions } from "../../../../src/mcp/client/auth/oauth-options.ts";
import { canary } from "../../../support/oauth-server.ts";

const issuer = "https://as.example";
const secret = { clientId: "me", clientSecret: canary };

describe("the options of a login", () => {
  it("are a browser's unless said otherwise", () => {
    expect(parseOAuthOptions({ kind: "oauth" })).toEqual({ kind: "oauth", flow: "browser" });
  });

  it.each([
    [{ flow: "client-credentials", ...secret }, "expectedIssuer"],
    [{ flow: "client-credentials", clientId: "me", expectedIssuer: issuer }, "clientSecret"],
    [{ flow: "private-key-jwt", clientId: "me", expectedIssuer: issuer }, "privateKey"],
    [{ flow: "browser", ...secret }, "expectedIssuer"],
    [{ flow: "device", clientSecret: canary, expectedIssuer: issuer }, "clientId"],
    [{ flow: "id-jag", ...secret, expectedIssuer: issuer }, "identityProvider or assertion"],
    [{ flow: "implicit" }, "auth.flow"],
    [{ password: canary }, "auth.password"],
    [{ scopes: [`two words ${canary}`] }, "auth.scopes"],
    [{ clientMetadataUrl: "http://me.example/client" }, "auth.clientMetadataUrl"],
    [{ redirectPort: 80 }, "auth.redirectPort"],
  ])("%j are refused", (options, named) => {
    const parse = (): unknown => parseOAuthOptions({ kind: "oauth", ...options });
    expect(parse).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
    expect(parse).toThrow(named);
    expect(parse).not.toThrow(canary);
  });
});
