/** What is published works where only it is installed. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const exec = promisify(execFile);
const root = new URL("../..", import.meta.url).pathname;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lg-pack-"));
  const { stdout } = await exec(
    "npm",
    ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder],
    { cwd: root },
  );
  await writeFile(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  await exec(
    "npm",
    [
      "install",
      "--silent",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      join(folder, stdout.trim()),
    ],
    { cwd: folder },
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the package, installed into an empty folder", () => {
  it("runs a command in a machine", async () => {
    const program = join(folder, "node_modules/.bin/luminaguard");
    const { stdout } = await exec(program, ["run", "--no-workspace", "--", "echo", "installed"], {
      cwd: folder,
    });
    expect(stdout).toBe("installed\n");
  });

  it("imports nothing by the name of its source", async () => {
    const dist = join(folder, "node_modules/luminaguard/dist");
    const found = await exec("grep", [
      "-rlE",
      String.raw`(from |import\()"\.[^"]*\.ts"`,
      "--include=*.js",
      dist,
    ]).catch((error: unknown) => (error as { code: number }).code);
    expect(found).toBe(1);
  });

  it("brings the guest's sources, so that an image can be built", async () => {
    const { stdout } = await exec("ls", [join(folder, "node_modules/luminaguard/guest")]);
    expect(stdout.split("\n")).toEqual(expect.arrayContaining(["go.mod", "go.sum", "main.go"]));
  });

  it("is a library", async () => {
    const program = `
      import { createLuminaGuard } from "luminaguard";
      const lumina = await createLuminaGuard({ dryRun: true });
      const machine = await lumina.spawn();
      const { stdout } = await machine.exec(["echo", "dry"]);
      if (stdout !== "dry\\n") throw new Error(stdout);
      await machine.stop();`;
    await writeFile(join(folder, "use.js"), program);
    await exec(process.execPath, ["use.js"], { cwd: folder });
  });
});

describe("the base image's package", () => {
  it(
    "is all that a host without Debian's tools and without Go needs",
    { timeout: 300_000 },
    async () => {
      const released = join(folder, "released");
      const { stdout } = await exec("node", [
        join(root, "scripts/release.mjs"),
        released,
        join(folder, "packages"),
      ]);
      const archive = stdout.split("\n").find((path) => path.includes("base-image")) ?? "";
      const install = ["install", "--offline", "--silent", "--no-audit", "--no-fund", "--no-save"];
      await exec("npm", [...install, "--ignore-scripts", archive], { cwd: folder });

      // every program of this host but those that make images
      const programs = join(folder, "programs");
      await mkdir(programs);
      const script = `for p in /usr/sbin/* /usr/bin/* ${process.execPath}; do ln -sf "$p" .; done; rm -f apt* dpkg* go xz`;
      await exec("sh", ["-c", script], { cwd: programs });
      const cache = join(folder, "cache");
      const env = { ...process.env, PATH: programs, LUMINAGUARD_CACHE_DIR: cache };
      const program = join(folder, "node_modules/.bin/luminaguard");
      // what is imported stands on the base image, so that is had first
      const imported = join(folder, "imported");
      await mkdir(imported);
      await exec(program, ["image", "import", imported], { cwd: folder, env });
      const start = { cwd: folder, env: { ...process.env, LUMINAGUARD_CACHE_DIR: cache } };
      const ran = await exec(program, ["run", "--no-workspace", "--", "uname", "-s"], start);
      expect(ran.stdout).toBe("Linux\n");
      expect(await readdir(cache)).not.toContain("packages");
    },
  );
});
