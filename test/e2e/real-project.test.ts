/**
 * A real project, not a toy: the own test suite of a public Python package, in an image of Debian
 * packages, with a change made inside the machine, shown, and applied.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";

const exec = promisify(execFile);
const pinned = {
  requirement: "boltons==24.1.0",
  archive: "boltons-24.1.0.tar.gz",
  sha256: "4a49b7d57ee055b83a458c8682a2a6f199d263a8aa517098bda9bab813554b87",
};
/** its time limits are for a processor that is not emulated */
const skipped = "test_socketutils_netstring";

let folder: string;
let home: CliHome;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lg-real-"));
  const download = [
    "download",
    "--quiet",
    "--no-deps",
    "--no-binary",
    ":all:",
    pinned.requirement,
    "-d",
    folder,
  ];
  await exec("pip3", download, { timeout: 120_000 });
  const archive = join(folder, pinned.archive);
  expect(
    createHash("sha256")
      .update(await readFile(archive))
      .digest("hex"),
  ).toBe(pinned.sha256);
  await exec("tar", ["-xzf", archive, "-C", folder]);
  home = await createCliHome();
  const build = await home.run([
    "image",
    "build",
    "test-pytest",
    "--packages",
    "python3,python3-pytest",
  ]);
  expect(build).toMatchObject({ exitCode: 0 });
}, 300_000);
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe("the test suite of a public Python package", () => {
  it("passes in a machine after a change that is then applied", { timeout: 400_000 }, async () => {
    const cwd = join(folder, pinned.archive.replace(".tar.gz", ""));
    const script = `
      sed -i 's/^def slugify(/def make_slug(/; s/^def _unused/&/' boltons/strutils.py
      printf '\\n\\nslugify = make_slug\\n' >> boltons/strutils.py
      python3 -m pytest -q -p no:cacheprovider -k "not ${skipped}" > report.txt; code=$?
      tail -n 12 report.txt; rm report.txt; exit $code`;
    const args = ["run", "--image", "test-pytest", "--apply", "always", "--", "sh", "-c", script];
    const { exitCode, stdout, stderr } = await home.run(args, { cwd });
    expect(exitCode, stdout.toString("utf8")).toBe(0);
    expect(stdout.toString("utf8")).toMatch(/\d{3,} passed/);
    expect(stderr).toMatch(/1 file changed[\s\S]*M {2}boltons\/strutils\.py/);
    expect(await readFile(join(cwd, "boltons/strutils.py"), "utf8")).toContain(
      "slugify = make_slug",
    );
  });
});
