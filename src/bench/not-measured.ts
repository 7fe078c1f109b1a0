/** Why there is no number, in words that say nothing of where things lie on this machine. */
import { relative } from "node:path";
import { basename } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../base/package-root.ts";
import { messageOf } from "../errors.ts";

const projectFolder = fileURLToPath(packageRoot);
/** a path from the root, where a word begins; the two slashes of an address are none */
const absolutePath = /(?<![\w./:-])\/[^\s'"`,;:()]+/g;

/** The reason, with paths of the project from its root, and only the last name of others. */
export function renderFailure(error: unknown, project: string = projectFolder): string {
  return messageOf(error).replaceAll(absolutePath, (path) => {
    return path.startsWith(project) ? relative(project, path) : basename(path);
  });
}
