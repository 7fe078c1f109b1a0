/**
 * The project's source as plain JavaScript in a folder of its own, for tests that need a real process of it:
 * one to kill. Inside the repository, so that packages resolve.
 */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ModuleKind, ScriptTarget, transpileModule } from "typescript";

const project = join(import.meta.dirname, "../..");

/** Compiles whole folders of `src/`, and `errors.ts`. */
export function makePlainSource(
  folders: readonly string[],
): { readonly path: string } & Disposable {
  mkdirSync(join(project, ".cache"), { recursive: true });
  const path = mkdtempSync(join(project, ".cache", "plain-source-"));
  const names = folders.flatMap((folder) =>
    readdirSync(join(project, "src", folder)).map((name) => join(folder, name)),
  );
  for (const name of ["errors.ts", ...names.filter((file) => file.endsWith(".ts"))]) {
    const { outputText } = transpileModule(readFileSync(join(project, "src", name), "utf8"), {
      compilerOptions: {
        target: ScriptTarget.ES2022,
        module: ModuleKind.ESNext,
        rewriteRelativeImportExtensions: true,
      },
    });
    const out = join(path, name.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(out), { recursive: true });
    writeFileSync(out, outputText);
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
