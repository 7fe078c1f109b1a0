/** A disk that is really full: nothing begins that cannot be written down, and nothing is lost or doubled. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeTempDir } from "../support/make-tree.ts";
import { projectFolder } from "../support/repository.ts";

/** Runs the words with this folder as a small disk in memory; nobody else sees it. */
function onSmallDisk(
  folder: string,
  words: readonly string[],
): { status: number | null; out: string } {
  const disk = ["--dev-bind", "/", "/", "--size", String(3 * 1024 ** 2), "--tmpfs", folder];
  const { status, stdout } = spawnSync("bwrap", [...disk, ...words], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { status, out: stdout };
}

const isThere = ((): boolean => {
  using temp = makeTempDir();
  const works = onSmallDisk(temp.path, ["true"]).status === 0;
  if (!works)
    console.warn("the cliff on a full disk is not tested: no small disk can be made here");
  return works;
})();

interface Said {
  readonly [step: string]: unknown;
  readonly decisions: readonly string[];
}

describe.skipIf(!isThere)("the cliff on a full disk (needs a small file system)", () => {
  it("refuses in words, begins nothing, and goes on where it was once there is room", () => {
    using temp = makeTempDir();
    const program = join(projectFolder, "test/fixtures/full-disk.mjs");
    const { status, out } = onSmallDisk(temp.path, [process.execPath, program, temp.path]);
    expect(status).toBe(0);
    const { decisions, ...said } = JSON.parse(out) as Said;
    const isFull = { code: "HOST_LIMIT", hint: "free some disk space and try again" };
    const isOver = { code: "APPROVAL_DECIDED", hint: expect.any(String) as string };
    expect(said).toEqual({
      // it began when there was room, and its end could not be written down
      "an execution that fills the disk": isFull,
      "a request": isFull,
      "an answer": isFull,
      "an execution": isFull,
      states: ["pending", "approved", "executing"],
      runsWhenFull: { approved: 0, filling: 1 },
      "an answer with room": "ok",
      "an execution with room": "ok",
      "an execution once more": isOver,
      "the one that filled it": isOver,
      runs: { approved: 1, filling: 1 },
      records: expect.any(Number) as number,
    });
    expect(decisions).toHaveLength(3);
    expect(new Set(decisions).size).toBe(3);
  });
});
