/** Public projects with their own tests, fetched when they are needed and checked by their digest. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tool } from "./oci-tools.ts";

function checkSha256(path: string, sha256: string): void {
  const found = createHash("sha256").update(readFileSync(path)).digest("hex");
  if (found !== sha256) throw new Error(`${path} has the SHA-256 ${found}`);
}

/** A Python project from its source archive on PyPI: pure Python, tests with `unittest`. */
export async function fetchPython(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const how = ["download", "--quiet", "--no-deps", "--no-binary", ":all:"];
  await tool("pip3", [...how, "simplejson==3.19.3", "-d", folder]);
  const archive = join(folder, "simplejson-3.19.3.tar.gz");
  checkSha256(archive, "8e086896c36210ab6050f2f9f095a5f1e03c83fa0e7f296d6cba425411364680");
  await tool("tar", ["-xzf", archive, "-C", folder]);
  return join(folder, "simplejson-3.19.3");
}

/** A JavaScript project from npm with its tests, and what runs them. */
export async function fetchJavaScript(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const how = ["install", "--silent", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"];
  await tool("npm", [...how, "--prefix", folder, "minimist@1.2.8", "tape@5.9.0"]);
  return folder;
}

/**
 * A Go module from the module proxy, which checks its digest itself (sum database, or go.sum).
 * 1.3.1 is its last version without `TestVersion6`, which compares two times without the four
 * bits that the version number covers: it fails wherever 0.4 ms pass between them, as here.
 */
export async function fetchGo(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const { Dir } = JSON.parse(
    await tool("go", ["mod", "download", "-json", "github.com/google/uuid@v1.3.1"], folder),
  ) as { Dir: string };
  await tool("cp", ["-r", "--no-preserve=mode", Dir, join(folder, "uuid")]);
  return join(folder, "uuid");
}

/** Tests and how each ended, whatever the order and the times: what two runs are compared by. */
export function summarizeGo(output: string): string[] {
  return [...output.matchAll(/^--- (PASS|FAIL|SKIP): (\S+)/gm)]
    .map(([, end, name]) => `${name} ${end}`)
    .sort();
}
export function summarizeTap(output: string): string[] {
  return output.split("\n").filter((line) => /^(?:ok|not ok|# tests|# pass|# fail)/.test(line));
}
export function summarizeUnittest(output: string): string[] {
  const ran = /^Ran (\d+) tests/m.exec(output)?.[1] ?? "none";
  const ended = /^(OK|FAILED)(.*)$/m.exec(output)?.[0] ?? "no end";
  return [`${ran} tests`, ended];
}
