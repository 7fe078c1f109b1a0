/** What is published works where only it is installed. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
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
