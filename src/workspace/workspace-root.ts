/**
 * Which folder may be a workspace. The file system's root, the home folder and everything above the
 * home folder are refused: a run there would carry a person's whole life into the machine.
 */
import { realpath, stat } from "node:fs/promises";
import { parse, relative, resolve, isAbsolute, sep } from "node:path";
import { LuminaGuardError } from "../errors.ts";

export interface WorkspaceRootOptions {
  /** the person's home folder, as configured; it is refused, and so is all above it */
  readonly home: string;
  /** further folders that may be neither the workspace nor inside it, such as LuminaGuard's own state */
  readonly apart?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** The folder's real path, or WORKSPACE_REFUSED with the reason. */
export async function resolveWorkspaceRoot(
  folder: string,
  options: WorkspaceRootOptions,
): Promise<string> {
  options.signal?.throwIfAborted();
  if (folder === "" || folder.includes("\0")) throw refused(folder, "is not a path");
  const root = await realFolder(resolve(folder));
  if (root === parse(root).root) throw refused(root, "is the root of the file system");
  await refuseHome(root, options.home);
  for (const name of options.apart ?? []) await refuseOverlap(root, name);
  return root;
}

async function refuseHome(root: string, name: string): Promise<void> {
  for (const home of [resolve(name), await realOrSame(name)]) {
    if (root === home) throw refused(root, "is your home folder");
    if (isInside(home, root)) throw refused(root, "contains your home folder");
  }
}

async function refuseOverlap(root: string, name: string): Promise<void> {
  const apart = await realOrSame(name);
  if (root === apart || isInside(root, apart) || isInside(apart, root)) {
    throw refused(root, `overlaps ${apart}, where LuminaGuard keeps its own files`);
  }
}

async function realFolder(path: string): Promise<string> {
  try {
    const real = await realpath(path);
    if ((await stat(real)).isDirectory()) return real;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw refused(path, code === "ENOENT" ? "does not exist" : "cannot be opened", cause);
  }
  throw refused(path, "is not a folder");
}

async function realOrSame(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    // the folder need not exist yet: its name is still refused
    return resolve(path);
  }
}

/** Whether `inner` is strictly below `outer`. */
function isInside(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function refused(path: string, reason: string, cause?: unknown): LuminaGuardError {
  return new LuminaGuardError(
    "WORKSPACE_REFUSED",
    `${path} cannot be the workspace: it ${reason}`,
    {
      hint: "change into the project's own folder and run it there",
      details: { path, reason },
      cause,
    },
  );
}
