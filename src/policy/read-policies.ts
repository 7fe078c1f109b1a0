/** Policy files that do not come with the package: a person's own, and the one in a repository. */
import { lstat, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "../base/host-error.ts";
import { readPlainFile } from "../base/read-plain-file.ts";
import { LuminaGuardError, messageOf } from "../errors.ts";
import type { PolicyFile } from "./policy-file.ts";

/** most files of a person's own */
const filesMax = 200;
/** largest file of a person's own in `bytes` */
const ownBytesMax = 1024 ** 2;
/** largest file in a repository in `bytes` */
const repositoryBytesMax = 64 * 1024;

/** Below the workspace's root. */
const repositoryPolicyPath = ".luminaguard/policy.cedar";

/** `policy/*.cedar` below the configuration's folder, by name; none where there is no such folder. */
export async function readOwnPolicies(configDir: string): Promise<readonly PolicyFile[]> {
  const folder = join(configDir, "policy");
  const names = (await listFolder(folder)).filter((name) => name.endsWith(".cedar")).sort();
  if (names.length > filesMax) throw unreadable(folder, `more than ${filesMax} files`);
  return Promise.all(
    names.map((name) => readPolicyFile(join(folder, name), { name: `policy/${name}` })),
  );
}

export interface ReadPolicyOptions {
  /** begins the ids of its rules
   * @default the file's own name */
  readonly name?: string;
}

/** One file of the person's own, or of a repository's where its path says so. Raises POLICY_INVALID where it cannot be read. */
export async function readPolicyFile(
  path: string,
  { name = basename(path) }: ReadPolicyOptions = {},
): Promise<PolicyFile> {
  const text = await readBounded(path, ownBytesMax, true);
  if (text === undefined) throw unreadable(path, "no such file");
  return { name, text, origin: path.endsWith(repositoryPolicyPath) ? "repository" : "user" };
}

/**
 * The policy that a repository brings, or undefined. It is hostile: no link is followed, nothing
 * but a plain file is read, and what cannot be read is POLICY_INVALID, so that nothing is allowed.
 */
export async function readRepositoryPolicy(root: string): Promise<PolicyFile | undefined> {
  const path = join(root, repositoryPolicyPath);
  const folder = await lstat(dirname(path)).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw unreadable(path, messageOf(error));
  });
  if (folder === undefined) return undefined;
  if (!folder.isDirectory()) throw unreadable(path, `${dirname(path)} is no folder`);
  const text = await readBounded(path, repositoryBytesMax, false);
  if (text === undefined) return undefined;
  return { name: repositoryPolicyPath, text, origin: "repository" };
}

async function listFolder(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw unreadable(folder, messageOf(error));
  }
}

function readBounded(
  path: string,
  bytesMax: number,
  followsLink: boolean,
): Promise<string | undefined> {
  const refuse = (why: string, cause?: unknown): Error => unreadable(path, why, cause);
  return readPlainFile(path, { bytesMax, followsLink, refuse });
}

function unreadable(path: string, why: string, cause?: unknown): LuminaGuardError {
  return new LuminaGuardError("POLICY_INVALID", `policy ${path}: ${why}`, {
    hint: "put it right or remove it; until then nothing is allowed",
    cause,
  });
}
