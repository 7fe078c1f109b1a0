/**
 * The walls of the house hold, and the rules that keep them see what they are to see: each rule is
 * shown a fault planted for it. `UPDATE=1` draws the picture in ARCHITECTURE.md anew.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { ICruiseResult } from "dependency-cruiser";
import { cruiseTree, renderRooms } from "../support/cruise.ts";
import { makeTempDir, makeTree } from "../support/make-tree.ts";
import { projectFolder, readProjectFile } from "../support/repository.ts";

let result: ICruiseResult;
beforeAll(async () => {
  result = await cruiseTree(projectFolder);
}, 60_000);

function violationsOf({ summary }: ICruiseResult): string[] {
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
}

describe("the walls", () => {
  it("hold, in all of more than 100 modules", () => {
    expect(violationsOf(result)).toEqual([]);
    expect(result.summary.totalCruised).toBeGreaterThan(100);
  });

  it("each see a fault that was planted", async () => {
    using temp = makeTempDir();
    const importing = (...paths: string[]): string =>
      `${paths.map((path) => `import type * as x${paths.indexOf(path)} from "${path}";`).join("\n")}
export const value = 1;\n`;
    makeTree(temp.path, {
      "tsconfig.json": readProjectFile("tsconfig.json"),
      "src/errors.ts": importing("./base/plain.ts"),
      "src/index.ts": importing("./base/plain.ts", "./base/upward.ts", "./errors.ts"),
      "src/base/plain.ts": importing(),
      "src/base/upward.ts": importing("../process/spawn.ts"),
      "src/process/spawn.ts": importing("node:child_process", "../config/config.ts"),
      "src/config/config.ts": importing("../process/spawn.ts"),
      "src/vm/spawns.ts": importing("node:child_process", "../wire/wire.ts"),
      "src/vm/spec.ts": importing("./backends/qemu/qemu.ts"),
      "src/vm/backends/qemu/qemu.ts": importing("../fake/fake.ts"),
      "src/vm/backends/fake/fake.ts": importing(),
      "src/wire/wire.ts": importing("../image/image.ts"),
      "src/image/image.ts": importing("../workspace/workspace.ts"),
      "src/workspace/workspace.ts": importing("../vm/spawns.ts"),
      "src/runtime/runtime.ts": importing("../cli/cli.ts", "../vm/spec.ts"),
      "src/bench/bench.ts": importing("../workspace/workspace.ts"),
      "src/cli/cli.ts": importing("../wire/wire.ts", "../bench/bench.ts"),
      "src/tui/tui.ts": importing("../runtime/runtime.ts", "../config/config.ts"),
      "src/tui/orphan.ts": importing(),
    });
    const planted = await cruiseTree(temp.path);
    const rules = new Set(planted.summary.violations.map(({ rule }) => rule.name));
    expect([...rules].sort()).toEqual([
      "backends-are-strangers",
      "base-imports-errors-only",
      "errors-import-nothing",
      "no-circular",
      "no-faces-below",
      "no-orphans",
      "only-one-file-names-backends",
      "only-process-spawns",
      "walls-of-bench",
      "walls-of-cli",
      "walls-of-config",
      "walls-of-image",
      "walls-of-process",
      "walls-of-runtime",
      "walls-of-tui",
      "walls-of-vm",
      "walls-of-wire",
      "walls-of-workspace",
    ]);
  }, 60_000);
});

describe("the picture in ARCHITECTURE.md", () => {
  it("shows the rooms as they are (UPDATE=1 draws it anew)", async () => {
    const page = readProjectFile("ARCHITECTURE.md");
    const marks = /(<!-- picture:start -->\n)([\s\S]*?)(<!-- picture:end -->)/;
    const drawn = `\n\`\`\`mermaid\n${await renderRooms(result)}\n\`\`\`\n\n`;
    if (process.env["UPDATE"] === "1") {
      const next = page.replace(
        marks,
        (_all, start: string, _old, end: string) => start + drawn + end,
      );
      writeFileSync(join(projectFolder, "ARCHITECTURE.md"), next);
    }
    expect(marks.exec(readProjectFile("ARCHITECTURE.md"))?.[2]).toBe(drawn);
  });
});
