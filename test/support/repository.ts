/** The project as it stands in git, for tests of the project itself. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const projectFolder: string = join(import.meta.dirname, "../..");

/** Every tracked file that is there. */
export function listTrackedFiles(): readonly string[] {
  const text = execFileSync("git", ["ls-files", "-z"], { cwd: projectFolder, encoding: "utf8" });
  return text.split("\0").filter((path) => path !== "" && existsSync(join(projectFolder, path)));
}

export function readProjectFile(path: string): string {
  return readFileSync(join(projectFolder, path), "utf8");
}

export interface PackageFile {
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly files: readonly string[];
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

export function readPackageFile(path = "package.json"): PackageFile {
  return JSON.parse(readProjectFile(path)) as PackageFile;
}
