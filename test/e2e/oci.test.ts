/** Images made and served by Debian's own tools, pulled, imported and booted. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { findDebs } from "../support/find-debs.ts";
import {
  makeLayout,
  ociSkipReason,
  serveRegistry,
  tool,
  unpackDebs,
} from "../support/oci-tools.ts";
import type { Registry } from "../support/oci-tools.ts";

let folder = "";
let home: CliHome;
let registry: Registry;
/** another name of the same registry: skopeo would hand the layers over that it knows by the first */
const zstdHost = (): string => registry.host.replace("127.0.0.1", "localhost");
const at = (name: string): string => join(folder, name);
const names: string[] = [];

/** Two layers: the upper one hides, replaces and links what the lower one has. */
async function makeRoots(): Promise<[string, string]> {
  const [lower, upper] = [at("lower"), at("upper")];
  unpackDebs(await findDebs("base", ["busybox-static"]), lower);
  for (const name of ["sh", "id", "env", "ls", "stat", "cat", "find", "readlink", "mount"])
    symlinkSync("busybox", join(lower, "usr/bin", name));
  mkdirSync(join(lower, "etc"), { recursive: true });
  writeFileSync(
    join(lower, "etc/passwd"),
    "root:x:0:0::/root:/bin/sh\napp:x:77:88::/srv:/bin/sh\n",
  );
  mkdirSync(join(lower, "srv/old"), { recursive: true });
  writeFileSync(join(lower, "srv/old/gone"), "hidden");
  writeFileSync(join(lower, "srv/kept"), "first");
  chownSync(join(lower, "srv/kept"), 77, 88);
  chmodSync(join(lower, "srv/kept"), 0o2750);
  execFileSync("mknod", [join(lower, "srv/device"), "c", "259", "300"]);
  mkdirSync(join(upper, "srv/old"), { recursive: true });
  writeFileSync(join(upper, "srv/old/new"), "shown");
  execFileSync("ln", [join(upper, "srv/old/new"), join(upper, "srv/other")]);
  symlinkSync("/etc/../../../../etc/passwd", join(upper, "srv/far"));
  return [lower, upper];
}

const show = [
  "id",
  "pwd",
  "echo $FOO $HOME $1",
  "cat old/new",
  "stat -c '%a %u:%g' kept",
  "stat -c '%h' other",
  "stat -c '%t:%T %F' device",
  "find / -xdev -path /proc -prune -o -name gone -print",
  "ls /home /layer /base 2>&1 || true",
].join("; ");

describe.skipIf(ociSkipReason !== undefined)(
  "images of Debian's tools (need docker-registry, skopeo, umoci, root)",
  () => {
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "lg-oci-"));
      home = await createCliHome();
      registry = await serveRegistry(at("registry"), "ada", "secret");
      const [lower, upper] = await makeRoots();
      await makeLayout(
        at("layout"),
        [lower, upper],
        [
          ...["--config.user", "app", "--config.workingdir", "/srv", "--config.env", "FOO=bar"],
          ...["--config.entrypoint", "/bin/sh", "--config.entrypoint=-c"],
          ...["--config.cmd", show, "--config.cmd", "sh", "--config.cmd", "own"],
        ],
      );
      const push = ["copy", "--quiet", "--dest-tls-verify=false", "--dest-creds", "ada:secret"];
      await tool("skopeo", [
        ...push,
        `oci:${at("layout")}:1`,
        `docker://${registry.host}/team/gzip:1`,
      ]);
      await tool("skopeo", [
        "copy",
        "--quiet",
        `oci:${at("layout")}:1`,
        `docker-archive:${at("saved.tar")}:tools:1`,
      ]);
      await tool("skopeo", [
        ...push,
        "--format",
        "oci",
        "--dest-compress-format",
        "zstd",
        `docker-archive:${at("saved.tar")}`,
        `docker://${zstdHost()}/team/zstd:1`,
      ]);
      writeFileSync(
        at("login.json"),
        JSON.stringify({
          auths: {
            [registry.host]: { auth: Buffer.from("ada:secret").toString("base64") },
            [zstdHost()]: { auth: Buffer.from("ada:secret").toString("base64") },
          },
        }),
      );
    }, 120_000);
    afterAll(async () => {
      for (const name of names) await home.run(["image", "rm", name]);
      await registry[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    });

    async function take(...args: readonly string[]): Promise<string> {
      const { exitCode, stdout, stderr } = await home.run(["image", ...args, "--json"]);
      expect(exitCode, stderr + stdout.toString("utf8")).toBe(0);
      const { name, digest } = JSON.parse(stdout.toString("utf8")) as {
        name: string;
        digest: string;
      };
      names.push(name);
      return digest;
    }

    it(
      "are one image, by gzip, by zstd, by docker-archive and by layout",
      { timeout: 60_000 },
      async () => {
        const login = ["--docker-config", at("login.json")];
        const gzip = await take("pull", `${registry.host}/team/gzip:1`, ...login);
        const zstd = await take(
          "pull",
          `${zstdHost()}/team/zstd:1`,
          "--name",
          "oci-zstd",
          ...login,
        );
        const raw = await tool("skopeo", [
          "inspect",
          "--raw",
          "--tls-verify=false",
          "--creds",
          "ada:secret",
          `docker://${zstdHost()}/team/zstd:1`,
        ]);
        expect(raw).toContain("tar+zstd");
        expect(await take("import", at("saved.tar"), "--name", "oci-saved")).toBe(gzip);
        expect(await take("import", at("layout"), "--name", "oci-layout")).toBe(gzip);
        expect(zstd).toBe(gzip);
      },
    );

    it("are not given to who has no login", async () => {
      const { exitCode, stderr } = await home.run(["image", "pull", `${zstdHost()}/team/zstd:1`]);
      expect(exitCode).toBe(125);
      expect(stderr).toContain("does not show team/zstd to us");
      expect(stderr).toContain("--docker-config");
    });

    it(
      "run their own command as they want it run, by their reference",
      { timeout: 90_000 },
      async () => {
        const args = [
          "run",
          "--no-workspace",
          "--env",
          "HOME=/mine",
          "--image",
          `${registry.host}/team/gzip:1`,
        ];
        const { exitCode, stdout, stderr } = await home.run(args);
        expect(exitCode, stderr).toBe(0);
        expect(stdout.toString("utf8").split("\n")).toEqual([
          "uid=77(app) gid=88",
          "/srv",
          "bar /mine own",
          "shown2750 77:88",
          "2",
          "103:12c character special file",
          "/srv/old/gone",
          "ls: /home: No such file or directory",
          "ls: /layer: No such file or directory",
          "ls: /base: No such file or directory",
          "",
        ]);
      },
    );

    it(
      "work on a folder as their own user, with a command in the place of theirs",
      { timeout: 60_000 },
      async () => {
        writeFileSync(join(home.project, "given"), "1");
        const args = [
          "run",
          "--apply",
          "always",
          "--image",
          "oci-layout",
          "--",
          "id -u; pwd; echo 2 > made; id -g",
        ];
        const { exitCode, stdout, stderr } = await home.run(args);
        expect(exitCode, stderr).toBe(0);
        expect(stdout.toString("utf8")).toBe("77\n/workspace\n88\n");
        expect(readFileSync(join(home.project, "made"), "utf8")).toBe("2\n");
      },
    );

    it("are taken from a tar and from a folder as they are", { timeout: 60_000 }, async () => {
      await tool("tar", ["-C", at("upper"), "-czf", at("root.tar.gz"), "."]);
      const [tar, plain] = [
        await take("import", at("root.tar.gz"), "--name", "oci-tar"),
        await take("import", at("upper"), "--name", "oci-folder"),
      ];
      expect(tar).toMatch(/^sha256-/);
      expect(plain).toMatch(/^sha256-/);
      const wrong = await home.run(["image", "import", at("login.json"), "--name", "oci-wrong"]);
      expect(wrong).toMatchObject({ exitCode: 125 });
      expect(wrong.stderr).toContain("the image cannot be used");
    });
  },
);
