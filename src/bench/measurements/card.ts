/** A card whose file changed in ten thousand lines: how long until a person reads the first of them. */
import { mkdtemp, open as openFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { LuminaGuardError } from "../../errors.ts";
import { ChangeDesk } from "../../runtime/cliff/change-desk.ts";
import { buildChangeCard } from "../../runtime/values.ts";
import type { ChangeSet } from "../../runtime/values.ts";
import { timed } from "../interleave.ts";
import type { Measurement } from "../measurement.ts";

/** every second line of the file is another one: as many go as come */
const fileLines = 10_000;

export const cardScreen: Measurement = {
  name: "card-screen",
  group: "cliff",
  unit: "ms",
  what: "card of a 10,000-line diff: from the change set to its first screen, coloured",
  floorIs: "writing the bytes of that screen to a file",
  goal: { kind: "at-most", value: 100 },
  method:
    "A change set with one TypeScript file of 10,000 lines, every second of which was rewritten, is kept in a temporary folder. A sample builds its card, draws it on 80 columns by 24 rows, presses [v], and ends when the first screen of the difference is written to a file: reading and hashing both contents, comparing them, escaping and colouring. The floor writes the same bytes to the same file.",
  run: async (context, samples, signal) => {
    const folder = await mkdtemp(join(tmpdir(), "luminaguard-bench-"));
    try {
      const desk = new ChangeDesk(folder);
      const set = await keepLargeChange(desk);
      const [change] = set.changes;
      if (change === undefined) throw new LuminaGuardError("HOST_LIMIT", "the change was lost");
      await using file = await openFile(join(folder, "screen"), "w");
      let screen = "";
      const show = async (): Promise<void> => {
        screen = await context.showDiff(buildChangeCard(set), () => desk.fileDiff(set, change));
        await file.write(screen);
      };
      await show();
      const values: number[] = [];
      const floors: number[] = [];
      while (values.length < samples) {
        signal.throwIfAborted();
        values.push(await timed(show));
        floors.push(await timed(() => file.write(screen)));
      }
      return { values, floors };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function keepLargeChange(desk: ChangeDesk): Promise<ChangeSet> {
  const numbers = Array.from({ length: fileLines }, (_, at) => at);
  const old = numbers.map((at) => `export const value${at} = "line ${at}"; // as it was\n`);
  const young = old.map((line, at) => (at % 2 === 0 ? line : `export let value${at} = ${at};\n`));
  const draft = await desk.store.draft();
  const put = async (lines: readonly string[]): Promise<{ sha256: string; size: number }> => {
    const content = Buffer.from(lines.join(""));
    const { sha256, size } = await draft.blobs.put(Readable.from([content]), {
      wants: () => true,
      size: content.length,
    });
    return { sha256, size };
  };
  const [before, after] = [await put(old), await put(young)];
  const file = { kind: "file", executable: false } as const;
  return draft.publish({
    ...{ root: "/srv/project", command: "bench", hadNetwork: false, removedFolders: [] },
    ...{ refused: [], refusedCount: 0 },
    leftBehind: { paths: [], count: 0 },
    changes: [
      {
        ...{ path: "src/values.ts", kind: "modified", binary: false, flags: [], conflict: null },
        before: { ...file, ...before },
        after: { ...file, ...after },
        lines: { added: fileLines / 2, removed: fileLines / 2 },
      },
    ],
  });
}
