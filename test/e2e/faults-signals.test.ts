/** What ends a run from outside, and runs that share a host. */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { collect, createCliHome, sees } from "../support/cli.ts";
import type { CliHome, CliResult } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { areGone, listFamily } from "../support/host-process.ts";

let home: CliHome;
beforeAll(async () => {
  home = await createCliHome();
});
afterEach(async () => {
  expect(await home.leftovers()).toEqual([]);
});
afterAll(() => home[Symbol.asyncDispose]());

const start = (script: string, ...options: string[]): ChildProcessWithoutNullStreams => {
  return home.start(["run", ...options, "--no-workspace", "--", "sh", "-c", script]);
};
/** what a machine and a process may take to end, on a busy host */
const endMs = 5_000;
async function endOf(child: ChildProcessWithoutNullStreams): Promise<CliResult> {
  const family = await listFamily(child.pid ?? 0);
  const result = await collect(child);
  await areGone(family, endMs);
  return result;
}

describe("a run that is told to end", () => {
  it.each([
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("by %s ends at once with its number, and its machine is gone", async (name, code) => {
    const child = start("trap '' TERM HUP INT; echo ready >&2; while :; do sleep 1; done");
    await sees(child, "ready");
    const startedAt = performance.now();
    child.kill(name);
    expect((await endOf(child)).exitCode).toBe(code);
    expect(performance.now() - startedAt).toBeLessThan(endMs);
  });

  it("by one Ctrl-C passes it on, and the command ends in its own way", async () => {
    const child = start(
      "trap 'echo cleaned up; exit 7' INT; echo ready >&2; while :; do sleep 0.1; done",
    );
    await sees(child, "ready");
    child.kill("SIGINT");
    const { exitCode, stdout } = await endOf(child);
    expect({ exitCode, stdout: stdout.toString("utf8") }).toEqual({
      exitCode: 7,
      stdout: "cleaned up\n",
    });
  });

  it("by a second Ctrl-C ends now, whatever the command thinks of the first", async () => {
    const child = start("trap '' INT; echo ready >&2; while :; do sleep 1; done");
    await sees(child, "ready");
    child.kill("SIGINT");
    await sees(child, "again ends the machine now");
    child.kill("SIGINT");
    expect((await endOf(child)).exitCode).toBe(130);
  });

  it("by Ctrl-C before there is a command ends now", async () => {
    const child = start("sleep 60");
    await eventually("a machine is made", () => list(home.runtimeDir).length > 0);
    child.kill("SIGINT");
    expect((await endOf(child)).exitCode).toBe(130);
  });

  it("ends although nobody reads what the command prints", async () => {
    const child = start("echo ready >&2; exec yes");
    await sees(child, "ready");
    // nothing reads stdout: the pipe is full, and stays so
    let written = "";
    let since = performance.now();
    await eventually("the program waits for its reader", () => {
      const now =
        /^wchar: .*$/m.exec(readFileSync(`/proc/${child.pid ?? 0}/io`, "utf8"))?.[0] ?? "";
      if (now !== written) since = performance.now();
      written = now;
      return child.stdout.readableLength > 0 && performance.now() - since > 500;
    });
    child.kill("SIGTERM");
    await eventually("the run ended", () => child.exitCode !== null, endMs);
    expect(child.exitCode).toBe(143);
    child.stdout.destroy();
  });
});

describe("runs at the same time", () => {
  it("in one folder: each keeps its own changes, and the second to touch a file conflicts", async () => {
    await writeFile(join(home.project, "shared"), "one\n");
    const run = (word: string): Promise<CliResult> => {
      return home.run([
        "run",
        "--apply",
        "never",
        "--",
        "sh",
        "-c",
        `echo ${word} > shared; echo ${word} > ${word}`,
      ]);
    };
    const results = await Promise.all([run("left"), run("right")]);
    expect(results.map(({ exitCode }) => exitCode)).toEqual([10, 10]);
    const ids = results.map(({ stderr }) => /approvals reopen (\S+)/.exec(stderr)?.[1] ?? "");
    const apply = (id = ""): Promise<CliResult> =>
      home.run(["changes", "apply", id, "--apply", "always"]);
    const [one, other] = await Promise.all([apply(ids[0]), apply(ids[1])]);
    expect([one.exitCode, other.exitCode].sort()).toEqual([0, 12]);
    const word = one.exitCode === 0 ? "left" : "right";
    expect(await readFile(join(home.project, "shared"), "utf8")).toBe(`${word}\n`);
    expect([...list(home.project)].sort()).toEqual([word, "shared"].sort());
  });

  it("thirty of them all end well", async () => {
    const runs = Array.from({ length: 30 }, (_, number) => {
      return home.run(["run", "--no-workspace", "--memory", "128", "--", "echo", String(number)]);
    });
    const results = await Promise.all(runs);
    const printed = results.map(
      ({ exitCode, stdout }) => `${String(exitCode)} ${stdout.toString("utf8").trim()}`,
    );
    expect(printed).toEqual(Array.from({ length: 30 }, (_, number) => `0 ${number}`));
  });
});

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // not made yet
  }
}
