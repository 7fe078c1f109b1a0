/** What is read of references, challenges, places and configurations. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isLuminaGuardError } from "../../../../src/errors.ts";
import { describeContainer } from "../../../../src/image/oci/container-config.ts";
import { createLayerTree } from "../../../../src/image/oci/layer-tree.ts";
import {
  namesRegistry,
  parseReference,
  renderReference,
} from "../../../../src/image/oci/reference.ts";
import { parseChallenges } from "../../../../src/image/oci/registry/challenge.ts";
import { checkPlace, registryOrigin } from "../../../../src/image/oci/registry/origin-rules.ts";
import { readRetryAfter } from "../../../../src/image/oci/registry/retry-rules.ts";

const digest = `sha256:${"a".repeat(64)}`;

describe("a reference", () => {
  test("has a host, and a tag where it says none", () => {
    const whole = (text: string): string => renderReference(parseReference(text));
    expect(whole("ghcr.io/team/tools")).toBe("ghcr.io/team/tools:latest");
    expect(whole("localhost:5000/a:1.2_x")).toBe("localhost:5000/a:1.2_x");
    expect(whole("[::1]:5000/a")).toBe("[::1]:5000/a:latest");
    expect(whole("docker.io/debian:12")).toBe("docker.io/library/debian:12");
    expect(whole("index.docker.io/team/x")).toBe("docker.io/team/x:latest");
    expect(whole(`r.example/x@${digest}`)).toBe(`r.example/x@${digest}`);
    expect(whole(`r.example/x:1@${digest}`)).toBe(`r.example/x:1@${digest}`);
  });

  test("without a host is a name of this host, and says how to write it", () => {
    expect(["debian", "debian:12", "team/tools", "base"].some(namesRegistry)).toBe(false);
    expect(() => parseReference("debian:12")).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("docker.io/debian:12") as string }),
    );
  });

  test.each([
    ["r.example/UPPER"], ["r.example/"], ["r.example/a//b"], ["r.example/a:"], ["r.example/a@md5:1"],
    ["r.example/a:.x"], ["r example/a"], ["u:p@r.example/a"], [`r.example/${"a".repeat(600)}`],
  ])("%s is none", (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  }); // prettier-ignore

  test("is read the same after it was written, whatever it was", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (rest) => {
        try {
          const parsed = parseReference(`r.example/${rest}`);
          expect(parseReference(renderReference(parsed))).toEqual(parsed);
        } catch (error) {
          if (!isLuminaGuardError(error, "USAGE")) throw error;
        }
      }),
    );
  });
});

describe("a challenge", () => {
  test("is read with all its parameters, beside others", () => {
    const header =
      'Basic realm="a, b", Bearer realm="https://a.example/t",service=x,scope="r:a:pull,push"';
    expect(parseChallenges(header)).toEqual([
      { scheme: "basic", parameters: new Map([["realm", "a, b"]]) },
      {
        scheme: "bearer",
        parameters: new Map([
          ["realm", "https://a.example/t"],
          ["service", "x"],
          ["scope", "r:a:pull,push"],
        ]),
      },
    ]);
  });

  test("never takes long and never throws, whatever it is", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 2000 }), (text) => Array.isArray(parseChallenges(text))),
    );
    const startedAt = performance.now();
    parseChallenges('Bearer a="'.repeat(100_000));
    parseChallenges(`Bearer ${"a ".repeat(100_000)}`);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

describe("a place that a registry sends us to", () => {
  test("is encrypted, or on this host where the registry is", () => {
    const from = "https://r.example";
    expect(checkPlace("https://cdn.example/x", from).href).toBe("https://cdn.example/x");
    expect(checkPlace("/v2/x", from).href).toBe("https://r.example/v2/x");
    for (const place of [
      "http://cdn.example/x", "https://127.0.0.1/x", "http://localhost/x", "https://[::1]/x",
      "file:///etc/passwd", "https://u:p@cdn.example/", "https://0.0.0.0/x", "https://[::]/x",
      "https://[::ffff:127.0.0.1]/x", "https://localhost./x", "https://a.localhost/x",
    ]) {
      expect(() => checkPlace(place, from)).toThrow(expect.objectContaining({ code: "IMAGE_INVALID" }));
    } // prettier-ignore
    expect(checkPlace("http://127.0.0.1:9/x", "http://localhost:5000").port).toBe("9");
    expect(checkPlace("/v2/x", "https://0.0.0.0:5000").href).toBe("https://0.0.0.0:5000/v2/x");
  });

  test("is spoken to in the clear on this host alone", () => {
    expect(registryOrigin("127.0.0.1:5000")).toBe("http://127.0.0.1:5000");
    expect(registryOrigin("[::1]:5000")).toBe("http://[::1]:5000");
    expect(registryOrigin("127.0.0.1.example")).toBe("https://127.0.0.1.example");
    expect(registryOrigin("docker.io")).toBe("https://registry-1.docker.io");
  });

  test("says how long to wait in seconds or by date", () => {
    expect(readRetryAfter("3")).toBe(3000);
    expect(readRetryAfter("Thu, 01 Jan 1970 00:00:05 GMT", 1000)).toBe(4000);
    expect([readRetryAfter(undefined), readRetryAfter("soon")]).toEqual([undefined, undefined]);
  });
});

describe("the configuration of an image", () => {
  const files: Readonly<Record<string, string>> = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:101:202::/srv:\n",
    "etc/group": "root:x:0:\nstaff:x:50:app\n",
  };
  const describeUser = async (User: string): Promise<string> => {
    const tree = createLayerTree(0);
    const read = async (path: string): Promise<string | undefined> => Promise.resolve(files[path]);
    const { user } = await describeContainer(
      { config: { User }, rootfs: { diff_ids: [] } },
      tree,
      read,
    );
    return user;
  };

  test.each([
    ["", "0:0"], ["app", "101:202"], ["101", "101:202"], ["999", "999:0"], ["app:staff", "101:50"],
    ["1:2", "1:2"], ["0:staff", "0:50"],
  ])("with the user %j runs as %s", async (user, numbers) => {
    expect(await describeUser(user)).toBe(numbers);
  }); // prettier-ignore

  test("with a user that is not there is refused", async () => {
    await expect(describeUser("nobody-here")).rejects.toMatchObject({ code: "IMAGE_INVALID" });
    await expect(describeUser("app:nogroup")).rejects.toMatchObject({ code: "IMAGE_INVALID" });
  });

  test("has its working folder made, and variables without a value left out", async () => {
    const tree = createLayerTree(0);
    const read = async (): Promise<undefined> => Promise.resolve(undefined);
    const config = { WorkingDir: "a/../b", Env: ["PATH=/x", "ODD", "=1", "E="], Cmd: null };
    const found = await describeContainer({ config, rootfs: { diff_ids: [] } }, tree, read);
    expect(found).toEqual({
      entrypoint: [],
      cmd: [],
      env: { PATH: "/x", E: "" },
      user: "0:0",
      workdir: "/b",
    });
    expect(tree.find("b")?.kind).toBe("directory");
  });
});
