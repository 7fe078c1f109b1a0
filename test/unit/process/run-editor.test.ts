import { readFileSync, readdirSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findByArgument } from "../../../src/process/process-identity.ts";
import { ownedName } from "../../../src/process/owned-name.ts";
import { removeAbandonedEdits, runEditor } from "../../../src/process/run-editor.ts";
import { eventually } from "../../support/eventually.ts";
import { makeTempDir } from "../../support/make-tree.ts";

const environment = { PATH: process.env["PATH"] ?? "" };

/** Edits `old` with a shell's words, to which the file is added, in a folder of its own. */
async function edit(
  command: string,
  { bytesMax = 100, signal }: { readonly bytesMax?: number; readonly signal?: AbortSignal } = {},
): Promise<string | undefined> {
  using temp = makeTempDir();
  const folder = join(temp.path, "run");
  try {
    const run = { folder, name: "a.json", bytesMax, signal };
    return await runEditor({ command, environment }, "old\n", run);
  } finally {
    expect(readdirSync(folder)).toEqual([]);
  }
}

describe("the person's editor", () => {
  it("gives back what was saved, in place or as a new file, and the file is gone", async () => {
    expect(await edit("sed -i s/old/new/")).toBe("new\n");
    expect(await edit("f() { cp $1 $1~; echo two >> $1~; mv $1~ $1; }; f")).toBe("old\ntwo\n");
  });

  it("has a file that nobody else can read or reach", async () => {
    using temp = makeTempDir();
    const seen = join(temp.path, "seen");
    await edit(`f() { stat -c %a $1 $(dirname $1) $(dirname $(dirname $1)) > ${seen}; }; f`);
    expect(readFileSync(seen, "utf8")).toBe("600\n700\n700\n");
  });

  it.each([
    ["that fails", "false", "the editor ended with 1"],
    ["that is not there", "no-such-editor-here", "the editor ended with 127"],
    ["that takes the file away", "rm", "the editor left no file"],
    ["that leaves a link", "f() { ln -sf /etc/passwd $1; }; f", "the editor left no file"],
    ["that leaves a pipe", "f() { rm $1; mkfifo $1; }; f", "the editor left no file"],
    ["that leaves too much", "f() { seq 1000 > $1; }; f", "larger than 100 bytes"],
    ["that leaves no text", "f() { printf '\\377' > $1; }; f", "not UTF-8"],
  ])("%s is told in words", async (_what, command, message) => {
    await expect(edit(command)).rejects.toMatchObject({
      code: "PROCESS_FAILED",
      message: expect.stringContaining(message) as string,
    });
  });

  it.each([
    ["one that ends when it is told", "sleep 300"],
    ["one that listens to nothing", "trap '' TERM; while :; do sleep 0.1; done"],
  ])(
    "is ended by the signal, with all it started, and nothing it saved counts: %s",
    async (_what, script) => {
      using temp = makeTempDir();
      const command = `f() { echo new > $1; sh -c "${script}" ${temp.path}; }; f`;
      const over = new AbortController();
      const edited = edit(command, { signal: over.signal });
      await eventually("it runs", async () => (await findByArgument(temp.path)).length > 1);
      over.abort();
      expect(await edited).toBeUndefined();
      expect(await findByArgument(temp.path)).toEqual([]);
    },
  );

  it("is not ended by Ctrl-C, which is meant for it", async () => {
    let heard = 0;
    const onInterrupt = (): void => void (heard += 1);
    process.on("SIGINT", onInterrupt);
    try {
      const command = `f() { kill -INT ${process.pid}; sed -i s/old/new/ $1; }; f`;
      expect(await edit(command)).toBe("new\n");
      expect([heard, process.listeners("SIGINT").includes(onInterrupt)]).toEqual([0, true]);
    } finally {
      process.off("SIGINT", onInterrupt);
    }
  });

  it("leaves nothing that a later start does not clear", async () => {
    using temp = makeTempDir();
    const alive = ownedName("edit-");
    for (const name of ["edit-4194999-1-abc", alive, "vm-00000"]) mkdirSync(join(temp.path, name));
    await removeAbandonedEdits(temp.path);
    expect(readdirSync(temp.path).sort()).toEqual([alive, "vm-00000"].sort());
  });
});
