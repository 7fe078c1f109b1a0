/** Reads the imports of a tree with dependency-cruiser, against the project's own rules. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { cruise, format } from "dependency-cruiser";
import type { ICruiseResult, IConfiguration } from "dependency-cruiser";
import { projectFolder } from "./repository.ts";

const load = createRequire(import.meta.url);

/** @param folder holds `src/` and a tsconfig.json */
export async function cruiseTree(folder: string): Promise<ICruiseResult> {
  const { forbidden, options } = load(
    join(projectFolder, ".dependency-cruiser.cjs"),
  ) as IConfiguration;
  const { output } = await cruise(["src"], {
    ...options,
    baseDir: folder,
    ruleSet: { ...(forbidden !== undefined && { forbidden }) },
    validate: true,
  });
  if (typeof output === "string") throw new Error("without an output type it is a result");
  return output;
}

/** The rooms and who imports whom, as a Mermaid drawing. What every room may import is left out. */
export async function renderRooms(result: ICruiseResult): Promise<string> {
  const { output } = await format(result, {
    outputType: "mermaid",
    collapse: "^src/[^/]+",
    includeOnly: "^src/(?!base/|errors[.]ts)",
  });
  if (typeof output !== "string") throw new Error("a drawing is text");
  const lines = output.split("\n");
  // arrows come in the order of import statements, which may change without any wall being moved
  const arrows = lines.filter((line) => line.includes("-->")).sort();
  const rooms = lines.filter((line) => line.trim() !== "" && !line.includes("-->"));
  return [...rooms, ...arrows].join("\n");
}
