/** This package's version, from its own package.json. */
import { readFileSync } from "node:fs";
import { packageRoot } from "../base/package-root.ts";

export function readVersion(): string {
  const file = new URL("package.json", packageRoot);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
