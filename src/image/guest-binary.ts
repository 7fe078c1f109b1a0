/**
 * Builds the guest agent, or takes the one that was built before: builds are kept in the cache
 * folder under a digest of sources, compiler and architecture.
 */
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { LuminaGuardError } from "../errors.ts";
import { sha256 } from "./file-digest.ts";
import { findGo, goMissing } from "./go-toolchain.ts";
import type { GoToolchain } from "./go-toolchain.ts";
import { compileGuest } from "./guest-compile.ts";
import type { BuiltGuest } from "./guest-compile.ts";
import { digestGuestSources, guestFolder } from "./guest-sources.ts";
import type { HostTools } from "./host-tools.ts";
import type { ImageArch } from "./manifest.ts";

export interface GuestBinary {
  readonly content: Buffer;
  readonly sha256: string;
  readonly sourcesSha256: string;
  readonly go: string;
  /** licence texts of what is linked into the program, by file name */
  readonly licences: ReadonlyMap<string, Buffer>;
}

interface GuestBinaryOptions {
  readonly tools: HostTools;
  readonly arch: ImageArch;
  /** made here, and of no use afterwards */
  readonly workFolder: string;
  /** where builds are kept; on the same disk */
  readonly cacheFolder: string;
  /** @default guest/ of this package */
  readonly sourcesFolder?: string | undefined;
  /** brings a compiler where the host has none; undefined where that cannot be done */
  readonly fetchGo?: () => Promise<GoToolchain | undefined>;
  /** @default the one on PATH or Debian's */
  readonly go?: GoToolchain;
}

/** changes when the way of building does */
const recipe = "1";
const binaryName = "guest";
const recordSchema = v.strictObject({
  sha256: v.string(),
  licences: v.record(v.pipe(v.string(), v.regex(/^[\w.-]+$/)), v.string()),
});

/**
 * Takes the compiler that was given, else the one there is. Where that one cannot get the modules
 * it needs, for there is no network, Debian's compiler with Debian's copies takes its place.
 */
export async function buildGuestBinary(options: GuestBinaryOptions): Promise<GuestBinary> {
  const { tools } = options;
  const go = options.go ?? (await findGo(tools)) ?? (await options.fetchGo?.());
  if (go === undefined) throw goMissing();
  try {
    return await buildWith(go, options);
  } catch (error) {
    if (go.kind !== "modules" || !lacksModules(error)) throw error;
    const debianGo = (await findGo(tools, { path: false })) ?? (await options.fetchGo?.());
    if (debianGo === undefined) throw error;
    return buildWith(debianGo, options);
  }
}

/** Whether Go failed to fetch a module, which it says in these words. */
function lacksModules(error: unknown): boolean {
  if (!(error instanceof LuminaGuardError)) return false;
  const stderr = error.details["stderr"];
  const words = /dial tcp|proxyconnect|no such host|i\/o timeout|module lookup disabled|GOPROXY/;
  return typeof stderr === "string" && words.test(stderr);
}

async function buildWith(go: GoToolchain, options: GuestBinaryOptions): Promise<GuestBinary> {
  const { tools, arch, cacheFolder, sourcesFolder = guestFolder } = options;
  const sourcesSha256 = await digestGuestSources(sourcesFolder);
  const key = sha256([recipe, sourcesSha256, go.version, go.kind, arch].join("\0"));
  const folder = join(cacheFolder, `${arch}-${key.slice(0, 32)}`);
  const facts = { sourcesSha256, go: go.version };
  const kept = await readKept(folder);
  if (kept !== undefined) return { ...kept, ...facts };

  await mkdir(cacheFolder, { recursive: true, mode: 0o700 });
  await mkdir(options.workFolder, { recursive: true, mode: 0o700 });
  const work = await mkdtemp(join(options.workFolder, "build-"));
  const built = await compileGuest({ tools, arch, go, sourcesFolder, work });
  await publish(join(work, "result"), folder, built);
  return { ...built, sha256: sha256(built.content), ...facts };
}

async function publish(staging: string, folder: string, built: BuiltGuest): Promise<void> {
  await mkdir(staging, { mode: 0o700 });
  await writeFile(join(staging, binaryName), built.content);
  const licences: Record<string, string> = {};
  for (const [name, text] of built.licences) {
    await writeFile(join(staging, `licence-${name}`), text);
    licences[name] = sha256(text);
  }
  const record = { sha256: sha256(built.content), licences };
  await writeFile(join(staging, "record.json"), JSON.stringify(record));
  await rm(folder, { recursive: true, force: true });
  await rename(staging, folder).catch((error: unknown) => {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error; // another build was first
  });
}

/** A build that was kept and is whole, or undefined. */
async function readKept(folder: string): Promise<(BuiltGuest & { sha256: string }) | undefined> {
  try {
    const record = v.parse(
      recordSchema,
      JSON.parse(await readFile(join(folder, "record.json"), "utf8")),
    );
    const content = await readFile(join(folder, binaryName));
    const licences = new Map<string, Buffer>();
    for (const [name, digest] of Object.entries(record.licences)) {
      const text = await readFile(join(folder, `licence-${name}`));
      if (sha256(text) !== digest) return undefined;
      licences.set(name, text);
    }
    return sha256(content) === record.sha256
      ? { content, sha256: record.sha256, licences }
      : undefined;
  } catch {
    return undefined; // not built yet, or broken: build again
  }
}
