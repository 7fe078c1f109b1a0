/** Logins from a Docker configuration, kept in it or by a helper: a real program of the test's own. */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createCredentialFinder } from "../../../../src/image/oci/registry/docker-config.ts";
import type { FindCredentials } from "../../../../src/image/oci/registry/registry-login.ts";
import { makeTempDir } from "../../../support/make-tree.ts";

const secret = "correct-horse-battery";
const login = { user: "me", password: secret };
const auth = Buffer.from(`me:${secret}`).toString("base64");

let temp: ReturnType<typeof makeTempDir>;
let path: string;
let env: Readonly<Record<string, string>>;
beforeEach(() => {
  temp = makeTempDir();
  path = join(temp.path, "config.json");
  env = { PATH: `${temp.path}:${process.env["PATH"] ?? ""}`, HELPER_LOG: join(temp.path, "asked") };
});
afterEach(() => temp[Symbol.dispose]());

function finder(config: unknown): FindCredentials {
  writeFileSync(path, typeof config === "string" ? config : JSON.stringify(config));
  return createCredentialFinder(path, { env });
}

function writeHelper(name: string, answer: string): void {
  const program = join(temp.path, `docker-credential-${name}`);
  writeFileSync(program, `#!/bin/sh\necho "$1 $(cat)" > "$HELPER_LOG"\n${answer}\n`);
  chmodSync(program, 0o755);
}

describe("a login", () => {
  test("is looked for in the file that was named, and nowhere without one", async () => {
    const find = finder({ auths: { "registry.example": { auth } } });
    expect(await find("registry.example")).toEqual(login);
    expect(await find("other.example")).toBeUndefined();
    expect(await createCredentialFinder(undefined, { env })("registry.example")).toBeUndefined();
  });

  test("of Docker's own registry is under its old address, and others' may be a URL", async () => {
    const auths = {
      "https://index.docker.io/v1/": { auth },
      "https://registry.example": { auth },
    };
    const find = finder({ auths });
    expect(await find("docker.io")).toEqual(login);
    expect(await find("registry.example")).toEqual(login);
  });

  test("may have colons in its password and none in its name", async () => {
    const packed = Buffer.from("me:a:b").toString("base64");
    const find = finder({ auths: { "registry.example": { auth: packed } } });
    expect(await find("registry.example")).toEqual({ user: "me", password: "a:b" });
  });
});

describe("a credential helper", () => {
  const answer = `echo '{"Username":"me","Secret":"${secret}"}'`;

  test("of one server is asked for it by its name", async () => {
    writeHelper("mine", answer);
    const find = finder({ credHelpers: { "registry.example": "mine" } });
    expect(await find("registry.example")).toEqual(login);
    expect(readFileSync(env["HELPER_LOG"] ?? "", "utf8")).toBe("get registry.example\n");
    expect(await find("other.example")).toBeUndefined();
  });

  test("of all servers is asked only for those that the file lists", async () => {
    writeHelper("store", answer);
    const find = finder({ auths: { "registry.example": {} }, credsStore: "store" });
    expect(await find("registry.example")).toEqual(login);
    expect(await find("other.example")).toBeUndefined();
  });

  test("that has nothing is no login; one that answers something else is an error without it", async () => {
    writeHelper("empty", "echo 'credentials not found'; exit 1");
    writeHelper("odd", `echo 'secret ${secret}'`);
    const helpers = { "empty.example": "empty", "odd.example": "odd" };
    const find = finder({ credHelpers: helpers });
    expect(await find("empty.example")).toBeUndefined();
    const error: unknown = await find("odd.example").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "PROCESS_FAILED" });
    expect(JSON.stringify(error)).not.toContain(secret);
  });

  test("that is not installed is an error, and a path is no name of one", async () => {
    const find = finder({ credHelpers: { "a.example": "absent", "b.example": "../evil" } });
    await expect(find("a.example")).rejects.toMatchObject({ code: "TOOL_MISSING" });
    await expect(find("b.example")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

describe("a Docker configuration", () => {
  test("that is not there, or is none, is refused without what is in it", async () => {
    const absent = createCredentialFinder(join(temp.path, "absent"), { env });
    await expect(absent("registry.example")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    for (const broken of [`{"auths": "${secret}"`, { auths: { "registry.example": secret } }]) {
      const error: unknown = await finder(broken)("registry.example").catch((thrown: unknown) => {
        return thrown;
      });
      expect(error).toMatchObject({ code: "CONFIG_INVALID" });
      expect(String(error) + JSON.stringify(error)).not.toContain(secret);
    }
  });

  test("of any content whatever gives a login, none, or an error that is told", async () => {
    const word = fc.oneof(fc.string(), fc.constant(auth), fc.constant("registry.example"));
    const config = fc.oneof(
      fc.json(),
      fc.record({ auths: fc.dictionary(word, fc.record({ auth: word })), credsStore: fc.string() }),
    );
    await fc.assert(
      fc.asyncProperty(config, async (content) => {
        const find = finder(content);
        await find("registry.example").catch((error: unknown) => {
          expect(error).toMatchObject({
            code: expect.stringMatching(
              /^(CONFIG_INVALID|TOOL_MISSING|PROCESS_FAILED)$/,
            ) as unknown,
          });
        });
      }),
      { numRuns: 60 },
    );
  });
});
