/**
 * Compiles the guest agent: one static Linux program, the same bytes for the same sources, compiler
 * and architecture, wherever the sources lie and however the caller has Go set up.
 */
import { copyFile, mkdir, readFile, readdir } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import * as v from "valibot";
import { LuminaGuardError } from "../errors.ts";
import type { GoToolchain } from "./go-toolchain.ts";
import { listGuestSources } from "./guest-sources.ts";
import type { HostTools } from "./host-tools.ts";
import type { ImageArch } from "./manifest.ts";

const buildTimeoutMs = 900_000;

export interface BuiltGuest {
  readonly content: Buffer;
  readonly licences: ReadonlyMap<string, Buffer>;
}

interface CompileJob {
  readonly tools: HostTools;
  readonly arch: ImageArch;
  readonly go: GoToolchain;
  readonly sourcesFolder: string;
  readonly work: string;
}

const modulePath = "luminaguard/guest";

export async function compileGuest(job: CompileJob): Promise<BuiltGuest> {
  const { tools, go, work } = job;
  const env = await goEnvironment(job);
  const cwd = await placeSources(job);
  const main = await findMainPackage(job.sourcesFolder);
  const output = join(work, "guest-binary");
  const args = [
    "build",
    "-trimpath",
    "-buildvcs=false",
    "-ldflags=-s -w -buildid=",
    "-o",
    output,
    main,
  ];
  const options = { cwd, env, timeoutMs: buildTimeoutMs };
  await tools.run(go.program, args, options).catch((error: unknown) => {
    const isFailure = error instanceof LuminaGuardError;
    if (!isFailure || (error.code !== "PROCESS_FAILED" && error.code !== "TIMEOUT")) throw error;
    throw new LuminaGuardError(
      "IMAGE_BUILD_FAILED",
      `the guest agent could not be built: ${error.message}`,
      {
        hint: "see `details.stderr`; without a network, Debian's golang-go golang-golang-x-net-dev need none",
        details: error.details,
        cause: error,
      },
    );
  });
  return {
    content: await readFile(output),
    licences: await collectLicences(job, main, { cwd, env }),
  };
}

/** what of the caller's Go settings is kept: where modules come from and where they are cached */
const keptSettings = [
  "GOPROXY",
  "GOSUMDB",
  "GOPRIVATE",
  "GONOPROXY",
  "GONOSUMDB",
  "GOCACHE",
  "GOMODCACHE",
];
const settingsSchema = v.record(v.string(), v.string());

/** Nothing of the caller's Go settings reaches the result. */
async function goEnvironment(job: CompileJob): Promise<Record<string, string>> {
  const { tools, go, arch, work } = job;
  const common = {
    CGO_ENABLED: "0",
    GOOS: "linux",
    GOARCH: arch,
    GOAMD64: "v1",
    GOARM64: "v8.0",
    GOEXPERIMENT: "",
    GOFLAGS: "",
    GOENV: "off",
    GOWORK: "off",
    GOTOOLCHAIN: "local",
    ...(go.root === undefined ? {} : { GOROOT: go.root }),
  };
  if (go.kind === "gopath") {
    const path = [join(work, "gopath"), go.librariesFolder ?? "/usr/share/gocode"].join(":");
    return { ...common, GO111MODULE: "off", GOPATH: path, GOCACHE: join(work, "cache") };
  }
  const { stdout } = await tools.run(go.program, ["env", "-json", ...keptSettings], { cwd: work });
  const settings = Object.entries(v.parse(settingsSchema, JSON.parse(stdout.toString("utf8"))));
  return {
    GOCACHE: join(work, "cache"), // where the caller has no home folder
    GOMODCACHE: join(work, "modules"),
    ...Object.fromEntries(settings.filter(([, value]) => value !== "" && value !== "off")),
    ...common,
    GOFLAGS: "-modcacherw -buildvcs=false", // a private module cache can be removed; no look at git
  };
}

/** The folder to build in: the sources themselves, or their place in a GOPATH. */
async function placeSources({ go, sourcesFolder, work }: CompileJob): Promise<string> {
  if (go.kind === "modules") return sourcesFolder;
  const place = join(work, "gopath/src", modulePath);
  for (const path of await listGuestSources(sourcesFolder)) {
    const target = join(place, path);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(join(sourcesFolder, path), target);
  }
  return place;
}

/** The one folder that holds `package main`, as `go build` wants it. */
async function findMainPackage(sourcesFolder: string): Promise<string> {
  const folders = new Set<string>();
  for (const path of await listGuestSources(sourcesFolder)) {
    const text = path.endsWith(".go") ? await readFile(join(sourcesFolder, path), "utf8") : "";
    if (/^package main$/m.test(text)) folders.add(posix.dirname(path));
  }
  const [only] = folders;
  if (folders.size !== 1 || only === undefined) {
    throw new LuminaGuardError(
      "IMAGE_BUILD_FAILED",
      `the guest has ${folders.size} main packages instead of one`,
    );
  }
  return `./${only}`;
}

const licenceFile = /^(?:LICENSE|LICENCE|COPYING|PATENTS|NOTICE)/i;
const debianGoDocs = /^golang-(?:\d[\d.]*-src|golang-x-.*-dev)$/;

/** Licence texts of Go and of each module or library that is linked. */
async function collectLicences(
  job: CompileJob,
  main: string,
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<Map<string, Buffer>> {
  const { go } = job;
  const licences = new Map<string, Buffer>();
  const take = async (name: string, folder: string, pattern: RegExp): Promise<void> => {
    for (const file of await listFolder(folder)) {
      const safeName = `${name}-${file}`.replaceAll(/[^\w.-]/g, "_");
      if (pattern.test(file)) licences.set(safeName, await readFile(join(folder, file)));
    }
  };
  if (go.kind === "gopath") {
    const docs = join(go.librariesFolder ?? "/usr/share/gocode", "../doc");
    for (const name of await listFolder(docs)) {
      if (debianGoDocs.test(name)) await take(name, join(docs, name), /^copyright$/);
    }
    return licences;
  }
  const root = await job.tools.run(go.program, ["env", "GOROOT"], options);
  await take("go", root.stdout.toString("utf8").trim(), licenceFile);
  const format = "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}";
  const list = await job.tools.run(go.program, ["list", "-deps", "-f", format, main], options);
  for (const line of new Set(list.stdout.toString("utf8").split("\n"))) {
    const [name = "", folder = ""] = line.split("\t");
    if (name !== "" && folder !== "") await take(name, folder, licenceFile);
  }
  return licences;
}

/** Names in the folder, sorted; none where it is not there. */
async function listFolder(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}
