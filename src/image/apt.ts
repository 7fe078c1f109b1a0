/**
 * Asks apt which Debian packages a name needs, and fetches them. The answer does not depend on
 * what the host has installed: apt runs with an empty package status and private folders, and so
 * needs no root. Only the host's package lists, sources and keys are used, so what is fetched is
 * signed as it is for the host. No package script ever runs.
 */
import { mkdir, readdir, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nearestNames } from "../base/nearest.ts";
import { LuminaGuardError, isLuminaGuardError, messageOf } from "../errors.ts";
import { refreshLists } from "./apt-lists.ts";
import { parseAptPackage, parsePrintedUris, parseRecords } from "./apt-records.ts";
import type { AptPackage } from "./apt-records.ts";
import { sha256OfFile } from "./file-digest.ts";
import type { HostTools } from "./host-tools.ts";
import type { ImageArch } from "./manifest.ts";

interface AptOptions {
  readonly tools: HostTools;
  readonly arch: ImageArch;
  /** private to this build, made here */
  readonly workFolder: string;
  /** verified packages, kept between builds, named by their SHA-256 */
  readonly packagesFolder: string;
  /** apt's package lists
   * @default "/var/lib/apt/lists" */
  readonly listsFolder?: string | undefined;
  /** the lists are ours to fetch: see `refreshLists`
   * @default false: they are the host's */
  readonly ownLists?: boolean;
}

export interface Apt {
  /** the version apt would install of each, in the order asked for */
  readonly lookUp: (names: readonly string[]) => Promise<AptPackage[]>;
  /** the packages and all they depend on, sorted by name; recommendations are left out */
  readonly resolve: (names: readonly string[]) => Promise<AptPackage[]>;
  /** fetches each package and checks it against its SHA-256; gives the path of each .deb by that */
  readonly fetch: (packages: readonly AptPackage[]) => Promise<ReadonlyMap<string, string>>;
}

/** longest time for one batch of downloads, in `ms` */
const fetchTimeoutMs = 1_800_000;
const packageNamePattern = /^[a-z0-9][a-z0-9+.-]+$/;

export async function createApt(options: AptOptions): Promise<Apt> {
  const { tools, arch, workFolder, packagesFolder } = options;
  const downloads = join(workFolder, "downloads");
  await mkdir(join(workFolder, "state"), { recursive: true });
  await mkdir(join(workFolder, "cache", "archives", "partial"), { recursive: true });
  await mkdir(downloads, { recursive: true });
  await mkdir(packagesFolder, { recursive: true, mode: 0o700 });
  await writeFile(join(workFolder, "status"), "");
  const common = aptArguments(options);
  if (options.ownLists === true && options.listsFolder !== undefined) {
    await refreshLists(tools, options.listsFolder, arch, common);
  }

  const run = async (
    program: "apt-get" | "apt-cache",
    args: string[],
    timeoutMs?: number,
  ): Promise<string> => {
    const limits = timeoutMs === undefined ? {} : { timeoutMs };
    const result = await tools.run(program, [...common, ...args], { cwd: downloads, ...limits });
    return result.stdout.toString("utf8");
  };
  const show = async (specs: readonly string[]): Promise<AptPackage[]> => {
    const text = await run("apt-cache", ["show", "--no-all-versions", ...specs]);
    return parseRecords(text).map(parseAptPackage);
  };
  const explain = async (error: unknown, names: readonly string[]): Promise<never> => {
    if (!isLuminaGuardError(error, "PROCESS_FAILED")) throw error;
    const known = await run("apt-cache", ["pkgnames"]);
    throw explainApt(error, names, new Set(known.split("\n")), arch);
  };

  return {
    lookUp: async (names) => {
      names.forEach(checkPackageName);
      const found = await show(names).catch(async (error: unknown) => explain(error, names));
      return names.map((name) => requireOne(found, name));
    },
    resolve: async (names) => {
      names.forEach(checkPackageName);
      const uris = await run("apt-get", ["install", "--yes", "--print-uris", ...names]).catch(
        async (error: unknown) => explain(error, names),
      );
      const wanted = parsePrintedUris(uris);
      const found = await show(wanted.map(({ name, version }) => `${name}=${version}`));
      const resolved = wanted.map(({ name, version }) => requireOne(found, name, version));
      return resolved.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    fetch: async (packages) => {
      const paths = new Map(
        packages.map(({ sha256 }) => [sha256, join(packagesFolder, `${sha256}.deb`)]),
      );
      const missing = new Map<string, AptPackage>();
      for (const each of packages) {
        const path = paths.get(each.sha256) ?? "";
        if (!(await hasDigest(path, each.sha256))) missing.set(each.sha256, each);
      }
      if (missing.size === 0) return paths;
      const specs = [...missing.values()].map((each) => `${each.name}=${each.version}`);
      await run("apt-get", ["download", ...specs], fetchTimeoutMs).catch((error: unknown) => {
        throw explainFetch(error);
      });
      await keepDownloads(downloads, missing, paths);
      return paths;
    },
  };
}

function aptArguments(options: AptOptions): string[] {
  const { arch, workFolder, listsFolder = "/var/lib/apt/lists" } = options;
  const settings = {
    "APT::Architecture": arch,
    "APT::Architectures": arch, // and no other that the host may follow
    "APT::Install-Recommends": "false",
    "APT::Install-Suggests": "false",
    "APT::Sandbox::User": "root", // no change of user: files are the caller's own
    "Debug::NoLocking": "true", // the folders are private
    "Dir::Cache": join(workFolder, "cache"),
    "Dir::State": join(workFolder, "state"),
    "Dir::State::lists": listsFolder,
    "Dir::State::status": join(workFolder, "status"),
    "Acquire::Retries": "3",
  };
  return Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
}

/** Moves what was downloaded into the store of packages, by the hash of what really came. */
async function keepDownloads(
  downloads: string,
  missing: ReadonlyMap<string, AptPackage>,
  paths: ReadonlyMap<string, string>,
): Promise<void> {
  const byDigest = new Map<string, string>();
  for (const file of await readdir(downloads)) {
    if (file.endsWith(".deb")) byDigest.set(await sha256OfFile(join(downloads, file)), file);
  }
  for (const [digest, each] of missing) {
    const file = byDigest.get(digest);
    const path = paths.get(digest);
    if (file === undefined || path === undefined) {
      throw new LuminaGuardError(
        "IMAGE_BUILD_FAILED",
        `the package ${each.name} ${each.version} that came is not the one apt's lists name`,
        { hint: "refresh the package lists: sudo apt-get update" },
      );
    }
    await rename(join(downloads, file), path);
  }
}

async function hasDigest(path: string, sha256: string): Promise<boolean> {
  try {
    if ((await sha256OfFile(path)) === sha256) {
      const now = new Date();
      await utimes(path, now, now); // in use: not the first to be pruned
      return true;
    }
  } catch {
    return false; // not there yet
  }
  await rm(path, { force: true });
  return false;
}

function requireOne(found: readonly AptPackage[], name: string, version?: string): AptPackage {
  const one = found.find(
    (each) => each.name === name && (version === undefined || each.version === version),
  );
  if (one !== undefined) return one;
  throw new LuminaGuardError(
    "IMAGE_BUILD_FAILED",
    `apt knows no package ${name} that can be fetched`,
    {
      hint: "it may be a virtual package: `apt-cache showpkg NAME` lists what provides it",
    },
  );
}

function checkPackageName(name: string): void {
  if (packageNamePattern.test(name)) return;
  throw new LuminaGuardError(
    "USAGE",
    `${JSON.stringify(name)} is not the name of a Debian package`,
    {
      hint: "names have lower-case letters, digits and + . -, such as python3-minimal",
    },
  );
}

function explainApt(
  cause: LuminaGuardError,
  names: readonly string[],
  known: ReadonlySet<string>,
  arch: ImageArch,
): LuminaGuardError {
  if (!known.has("busybox-static")) {
    return new LuminaGuardError(
      "IMAGE_BUILD_FAILED",
      `there are no Debian package lists for ${arch}`,
      {
        hint: "sudo apt-get update",
        cause,
      },
    );
  }
  const unknown = names.find((name) => !known.has(name));
  if (unknown === undefined) {
    return new LuminaGuardError(
      "IMAGE_BUILD_FAILED",
      `apt cannot put ${names.join(", ")} together: ${cause.message}`,
      {
        hint: "these packages may not go with each other: try them one by one",
        cause,
      },
    );
  }
  const near = nearestNames(unknown, known);
  return new LuminaGuardError("IMAGE_BUILD_FAILED", `Debian has no package ${unknown}`, {
    hint:
      near.length === 0
        ? `search with: apt-cache search ${unknown}`
        : `did you mean ${near.join(" or ")}?`,
    cause,
  });
}

function explainFetch(error: unknown): unknown {
  const isFailure = isLuminaGuardError(error, "PROCESS_FAILED");
  if (!isFailure && !isLuminaGuardError(error, "TIMEOUT")) return error;
  const stale = /\b404\b|not found/i.test(messageOf(error));
  return new LuminaGuardError(
    "IMAGE_BUILD_FAILED",
    `packages could not be fetched: ${error.message}`,
    {
      hint: stale
        ? "the package lists are older than the archive: sudo apt-get update"
        : "check the network and build again; what was fetched before is kept",
      cause: error,
    },
  );
}
