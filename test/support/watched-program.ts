/** The program as it was built, which runs a command at an exact point of a move: see `test/fixtures/at-phase.mjs`. */
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const root = new URL("../..", import.meta.url).pathname;
const hook = new URL("../fixtures/at-phase.mjs", import.meta.url).href;

export interface WatchedProgram extends AsyncDisposable {
  /** of its start */
  readonly path: string;
}

export async function createWatchedProgram(): Promise<WatchedProgram> {
  await mkdir(join(root, ".cache"), { recursive: true });
  // below the package, so that what it imports is found
  const folder = await mkdtemp(join(root, ".cache/watched-"));
  for (const name of ["dist", "policy", "package.json"]) {
    await cp(join(root, name), join(folder, name), { recursive: true });
  }
  const supervisor = join(folder, "dist/program/hold-machine.js");
  await rename(supervisor, supervisor.replace(".js", "-itself.js"));
  await writeFile(supervisor, `import "${hook}";\nawait import("./hold-machine-itself.js");\n`);
  const path = join(folder, "start.mjs");
  await writeFile(path, `import "${hook}";\nawait import("./dist/program/main.js");\n`);
  return {
    path,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
