/** The table of lanes in docs/platforms.md is what the code says of itself; UPDATE=1 writes it anew. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { expect, it } from "vitest";
import { describeLane } from "../../src/runtime/platforms.ts";
import { listTestLanes } from "../support/lanes.ts";
import { projectFolder, readProjectFile } from "../support/repository.ts";

const start = "<!-- lanes: begin -->";
const end = "<!-- lanes: end -->";

function renderTable(): Promise<string> {
  const rows = listTestLanes()
    .map(describeLane)
    .map(({ host, way, can, proven }) => `| ${host} | ${way} | ${can} | ${proven} |`);
  const table = ["| host | way | beside run | how proven |", "| - | - | - | - |", ...rows];
  return format(table.join("\n"), { parser: "markdown" });
}

it("the table of docs/platforms.md says of each lane what its code says", async () => {
  const [before, rest = ""] = readProjectFile("docs/platforms.md").split(start);
  const [written, after] = rest.split(end);
  const table = `\n\n${await renderTable()}\n`;
  if (process.env["UPDATE"] === "1") {
    const page = `${before}${start}${table}${end}${after}`;
    writeFileSync(join(projectFolder, "docs/platforms.md"), page);
  } else expect(written).toBe(table);
});
