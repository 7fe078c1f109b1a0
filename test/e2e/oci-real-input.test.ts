/** A real project's own tests, in a machine of an image with nothing in it but their program. */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { makeLayout, ociSkipReason, tool } from "../support/oci-tools.ts";
import { fetchGo, summarizeGo } from "../support/real-input.ts";

const hasGo = spawnSync("go", ["version"]).error === undefined;
const reason = ociSkipReason ?? (hasGo ? undefined : "no Go on PATH");
if (reason !== undefined) console.warn(`a Go project's tests are skipped: ${reason}`);

let folder = "";
let home: CliHome;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lg-go-"));
  home = await createCliHome();
});
afterAll(async () => {
  await home.run(["image", "rm", "oci-go-tests"]);
  await home[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(reason !== undefined)(
  "the test suite of a public Go module (needs Go, umoci, skopeo, docker-registry, root)",
  () => {
    it(
      "ends in an image without a shell as it does on this host",
      { timeout: 240_000 },
      async () => {
        const source = await fetchGo(folder);
        const root = join(folder, "root");
        mkdirSync(root);
        const program = join(root, "uuid.test");
        await tool("env", ["CGO_ENABLED=0", "go", "test", "-c", "-o", program, "."], source);
        const here = summarizeGo(await tool(program, ["-test.v"], source));
        expect(here.length).toBeGreaterThan(20);

        const config = ["--config.entrypoint", "/uuid.test", "--config.cmd", "-test.v"];
        await makeLayout(join(folder, "layout"), [root], config);
        const taken = await home.run([
          "image",
          "import",
          join(folder, "layout"),
          "--name",
          "oci-go-tests",
        ]);
        expect(taken).toMatchObject({ exitCode: 0 });
        const ran = await home.run(["run", "--no-workspace", "--image", "oci-go-tests"]);
        expect(ran.exitCode, ran.stderr).toBe(0);
        expect(summarizeGo(ran.stdout.toString("utf8"))).toEqual(here);
      },
    );
  },
);
