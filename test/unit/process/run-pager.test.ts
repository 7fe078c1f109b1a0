import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findByArgument } from "../../../src/process/process-identity.ts";
import { runPager } from "../../../src/process/run-pager.ts";
import { eventually } from "../../support/eventually.ts";
import { makeTempDir } from "../../support/make-tree.ts";

const environment = { PATH: process.env["PATH"] ?? "" };

describe("the person's pager", () => {
  it("gets the text and is waited for", async () => {
    using temp = makeTempDir();
    const path = join(temp.path, "shown");
    await runPager({ command: `cat > ${path}`, environment }, "one\ntwo\n");
    expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  });

  it.each([
    ["one that ends when it is told", "sleep 300"],
    ["one that listens to nothing", "trap '' TERM; while :; do sleep 0.1; done"],
  ])("is ended by the signal, with all it started: %s", async (_what, script) => {
    using temp = makeTempDir();
    const command = `sh -c "${script}" ${temp.path}; true`;
    const over = new AbortController();
    const shown = runPager({ command, environment }, "text", over.signal);
    await eventually("it runs", async () => (await findByArgument(temp.path)).length > 1);
    over.abort();
    await shown;
    expect(await findByArgument(temp.path)).toEqual([]);
  });

  it("is not started when the time is over", async () => {
    using temp = makeTempDir();
    const command = `touch ${join(temp.path, "started")}`;
    await runPager({ command, environment }, "text", AbortSignal.abort());
    expect(() => readFileSync(join(temp.path, "started"))).toThrow();
  });
});
