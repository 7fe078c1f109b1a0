/**
 * The host process killed with SIGKILL in each phase of a run: its machine is gone at once, and after
 * the next start nothing of it is left. The project is as it was, or as it was to become.
 */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findByArgument } from "../../src/process/process-identity.ts";
import { createCliHome, sees } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { areGone, listFamily, listVmms, readStatus } from "../support/host-process.ts";
import { readTree } from "../support/make-tree.ts";
import { fillCache } from "../support/own-cache.ts";

/** what the kernel may take to end a killed process's family */
const deathMs = 2_000;

let home: CliHome;
let cacheDir: string;
beforeAll(async () => {
  home = await createCliHome();
  cacheDir = join(home.project, "..", "cache");
  await fillCache(cacheDir);
});
afterAll(() => home[Symbol.asyncDispose]());

function start(args: readonly string[]): ChildProcessWithoutNullStreams {
  const child = home.start(args, { env: { LUMINAGUARD_CACHE_DIR: cacheDir } });
  child.stdin.end();
  child.stdout.resume();
  return child;
}

async function killAndLook(child: ChildProcessWithoutNullStreams): Promise<void> {
  await kill(child);
  await lookAfterNextStart();
}

async function kill(child: ChildProcessWithoutNullStreams): Promise<void> {
  const family = await listFamily(child.pid ?? 0);
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await areGone(family, deathMs);
  await closed;
}

async function lookAfterNextStart(): Promise<void> {
  const next = await home.run(["changes", "ls"], { env: { LUMINAGUARD_CACHE_DIR: cacheDir } });
  expect(next.exitCode).toBe(0);
  expect(await home.leftovers()).toEqual([]);
  expect(temporaryNames()).toEqual([]);
}

/** Names that only stand while something is written; an audit outlives whoever asked for it. */
function temporaryNames(): readonly string[] {
  const inCache = list(cacheDir, true);
  const inState = list(home.stateDir, true);
  return [...inCache, ...inState].filter((path) => {
    if (path.endsWith("/audit.new")) return false;
    return /\.(tmp|new)$|\.draft-|\.dropped-|^applies\/|^locks\/|partial/.test(path);
  });
}

const until = async (
  child: ChildProcessWithoutNullStreams,
  path: RegExp,
  folder: string,
): Promise<void> => {
  await eventually(`${String(path)} in ${folder}`, () => {
    if (child.exitCode !== null) throw new Error("it ended before it was killed");
    return list(folder).some((name) => path.test(name));
  });
};
function list(folder: string, recursive = false): readonly string[] {
  try {
    return readdirSync(folder, { recursive, encoding: "utf8" });
  } catch {
    return []; // not made yet
  }
}
const run = (script: string, ...options: string[]): string[] => {
  return ["run", ...options, "--", "sh", "-c", script];
};

describe("a host process killed with SIGKILL", () => {
  it("while it boots and freezes the first machine leaves no machine and no draft", async () => {
    const child = start(run("true", "--no-workspace"));
    await until(child, /^\.draft-/, join(cacheDir, "templates"));
    await eventually("a machine boots", async () => {
      const [vmm] = await listVmms(home.runtimeDir);
      return vmm !== undefined && readStatus(vmm.pid).get("Name")?.startsWith("qemu");
    });
    await killAndLook(child);
    expect(list(join(cacheDir, "templates"))).toEqual([]);
  });

  it("while it builds the walls around a machine leaves nothing after the next start", async () => {
    await collectEnd(start(run("true", "--no-workspace"))); // makes the template
    const child = start(run("true", "--no-workspace"));
    await until(child, /^vm-[0-9a-f]{5}\.json$/, home.runtimeDir);
    const family = await listFamily(child.pid ?? 0);
    child.kill("SIGKILL");
    await once(child, "close");
    await lookAfterNextStart();
    // what it started after the look is found by the machine's folder in its arguments
    await areGone(family, deathMs);
    await eventually(
      "no process",
      async () => (await findByArgument(home.runtimeDir)).length === 0,
    );
  });

  it("while a command runs leaves nothing", async () => {
    const child = start(run("echo started >&2; sleep 60", "--no-workspace"));
    await sees(child, "started");
    await killAndLook(child);
  });

  it("while the project goes in, or the changes come out, leaves the project as it was", async () => {
    const big = "x".repeat(1024 * 1024);
    for (let file = 0; file < 60; file += 1) await writeFile(join(home.project, `in-${file}`), big);
    const before = readTree(home.project);
    const copying = start(run("sleep 60"));
    await sees(copying, "machine ");
    await killAndLook(copying);
    const receiving = start(
      run("for n in $(seq 60); do echo $n >> in-$n; done", "--apply", "always"),
    );
    await until(receiving, /^\.draft-/, join(home.stateDir, "changes"));
    await killAndLook(receiving);
    expect(readTree(home.project)).toEqual(before);
    const kept = await home.run(["changes", "ls", "--json"]);
    const sets = JSON.parse(kept.stdout.toString("utf8")) as { changes: number }[];
    // a set that was complete in that instant is kept; half a set never
    expect(sets.filter(({ changes }) => changes !== 60)).toEqual([]);
  });

  it("while it applies leaves the project as it was, or as it was to become", async () => {
    await using own = await createCliHome();
    const files = 300;
    for (let file = 0; file < files; file += 1)
      await writeFile(join(own.project, `f${file}`), "old\n");
    const before = readTree(own.project);
    const after = Object.fromEntries(Object.keys(before).map((name) => [name, "new\n"]));
    const made = await own.run(run("for f in f*; do echo new > $f; done", "--apply", "never"));
    const id = /approvals reopen (\S+)/.exec(made.stderr)?.[1] ?? "";
    const child = own.start(["changes", "apply", id, "--apply", "always"]);
    await until(child, /./, join(own.stateDir, "applies"));
    await eventually("a file was written", () => {
      return (
        list(own.project).some((name) => name.startsWith(".luminaguard")) ||
        readTree(own.project)["f0"] === "new\n"
      );
    });
    child.kill("SIGKILL");
    await once(child, "close");
    await own.run(["changes", "ls"]);
    const now = readTree(own.project);
    expect([before, after]).toContainEqual(now);
    expect(list(join(own.stateDir, "applies"))).toEqual([]);
  });
});

async function collectEnd(child: ChildProcessWithoutNullStreams): Promise<void> {
  child.stderr.resume();
  const [exitCode] = (await once(child, "close")) as [number | null];
  expect(exitCode).toBe(0);
}
