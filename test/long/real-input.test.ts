/**
 * The own test suites of three public projects, in machines of images made of Debian's packages by
 * Debian's tools: each ends as the same run on this host does.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { findDebs } from "../support/find-debs.ts";
import { makeLayout, ociSkipReason, unpackDebs } from "../support/oci-tools.ts";
import {
  fetchGo,
  fetchJavaScript,
  fetchPython,
  summarizeGo,
  summarizeTap,
  summarizeUnittest,
} from "../support/real-input.ts";
import { runHere } from "../support/run-here.ts";

let folder = "";
let home: CliHome;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lg-real-"));
  home = await createCliHome();
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** An image of the packages, made by umoci, under a name. */
async function makeImage(name: string, packages: readonly string[]): Promise<string> {
  const root = join(folder, `${name}-root`);
  unpackDebs(await findDebs(`test-${name}`, [], packages), root);
  const layout = join(folder, `${name}-layout`);
  await makeLayout(layout, [root], ["--config.env", "LANG=C.UTF-8"]);
  const image = `oci-${name}`;
  const taken = await home.run(["image", "import", layout, "--name", image]);
  expect(taken.exitCode, taken.stderr).toBe(0);
  return image;
}

async function runThere(
  image: string,
  cwd: string,
  argv: readonly string[],
  options: readonly string[] = [],
): Promise<string> {
  const args = ["run", "--image", image, "--memory", "1536", "--apply", "never", ...options];
  const { exitCode, stdout, stderr } = await home.run([...args, "--", ...argv], { cwd });
  expect(exitCode, `${stdout.toString("utf8")}\n${stderr}`).toBe(0);
  return stdout.toString("utf8") + stderr;
}

describe.skipIf(ociSkipReason !== undefined)(
  "a public project's tests end in a machine as on this host",
  () => {
    it("in Python", async () => {
      const cwd = await fetchPython(join(folder, "python"));
      const argv = ["python3", "-m", "unittest", "discover", "-s", "simplejson/tests", "-t", "."];
      const here = summarizeUnittest(await runHere(argv, cwd));
      expect(here[1]).toMatch(/^OK/);
      const image = await makeImage("python", ["python3"]);
      expect(summarizeUnittest(await runThere(image, cwd, argv))).toEqual(here);
    });

    it("in JavaScript", async () => {
      const cwd = await fetchJavaScript(join(folder, "javascript"));
      const argv = ["node", "node_modules/tape/bin/tape", "node_modules/minimist/test/*.js"];
      const here = summarizeTap(await runHere(argv, cwd));
      expect(here.length).toBeGreaterThan(100);
      const image = await makeImage("node", ["nodejs"]);
      const included = ["--include", "node_modules/**"];
      expect(summarizeTap(await runThere(image, cwd, argv, included))).toEqual(here);
    });

    it("in Go", async () => {
      const cwd = await fetchGo(join(folder, "go"));
      // the image has no C compiler
      const test = ["env", "CGO_ENABLED=0", "go", "test", "-v", "."];
      const argv = ["env", "HOME=/tmp", "GOPROXY=off", ...test];
      const here = summarizeGo(await runHere(test, cwd));
      expect(here.length).toBeGreaterThan(20);
      const image = await makeImage("go", ["golang-go", "coreutils"]);
      expect(summarizeGo(await runThere(image, cwd, argv))).toEqual(here);
    });
  },
);
