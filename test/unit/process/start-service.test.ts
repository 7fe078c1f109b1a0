import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { killProcess } from "../../../src/process/child.ts";
import { identifyProcess } from "../../../src/process/process-identity.ts";
import type { ProcessIdentity } from "../../../src/process/process-identity.ts";
import { startService } from "../../../src/process/start-service.ts";
import type { Service, StartServiceOptions } from "../../../src/process/start-service.ts";
import { areGone } from "../../support/host-process.ts";
import { makeTempDir } from "../../support/make-tree.ts";
import { makePlainSource } from "../../support/plain-source.ts";

const env = { PATH: process.env["PATH"] ?? "/usr/bin" };

/** A shell that says "ready" and a pid of its choice first. */
async function startShell(
  script: string,
  options: Partial<StartServiceOptions> = {},
): Promise<{ service: Service; family: ProcessIdentity[] }> {
  const service = await startService("sh", ["-c", script], { env, ...options });
  const said = await firstLine(service.stdout);
  const pids = [service.pid, ...said.split(" ").map(Number).filter(Boolean)];
  const family = await Promise.all(pids.map(identifyProcess));
  // without a start it has ended, and its parent has not heard of it yet
  const isThere = (member: ProcessIdentity | undefined): member is ProcessIdentity =>
    member !== undefined && member.startTicks !== null;
  return { service, family: family.filter(isThere) };
}

async function firstLine(stdout: Readable): Promise<string> {
  let said = "";
  while (!said.includes("\n")) {
    const [chunk] = (await once(stdout, "data")) as [Buffer];
    said += chunk.toString();
  }
  return said;
}

describe("a service", () => {
  it("reads and writes over its pipes and gets no variable but those it was given", async () => {
    const service = await startService("sh", ["-c", "cat; env; pwd; echo done >&2"], {
      env: { ...env, ONLY: "this" },
      cwd: "/",
    });
    service.stdin.end("hello\n");
    const said = await text(service.stdout);
    const lines = said.trim().split("\n");
    expect(lines).toContain("hello");
    const ownVariables = /^(PWD|OLDPWD|SHLVL|_)=/; // a shell's
    const given = lines.filter((line) => line.includes("=") && !ownVariables.test(line));
    expect(given.sort()).toEqual(["ONLY=this", `PATH=${env.PATH}`]);
    expect(lines.at(-1)).toBe("/");
    expect(await service.closed).toEqual({ exitCode: 0, signal: null });
    expect(service.stderrTail()).toBe("done\n");
  });

  it("hands over stderr line by line, each cut at a bound, and keeps a tail", async () => {
    const lines: string[] = [];
    const service = await startService(
      "sh",
      ["-c", "echo one >&2; head -c 20000 /dev/zero | tr '\\0' x >&2; printf '\\nlast' >&2"],
      { env, onStderrLine: (line) => lines.push(line) },
    );
    await service.closed;
    expect(lines).toEqual(["one", "x".repeat(8192), "last"]);
    expect(service.stderrTail()).toHaveLength(4096);
  });

  it("ends by itself when its input ends", async () => {
    const { service, family } = await startShell("echo ready; cat");
    expect(await service.stop(5_000)).toEqual({ exitCode: 0, signal: null });
    expect(service.hasExited()).toBe(true);
    await areGone(family, 1_000);
  });

  it("is asked by a signal when the end of its input is not enough", async () => {
    const { service } = await startShell(
      "trap 'exit 5' TERM; echo ready; while :; do sleep 0.02; done",
    );
    expect(await service.stop(100)).toEqual({ exitCode: 5, signal: null });
  });

  it("is killed with what it started when it obeys nothing, once however often it is stopped", async () => {
    const script = "trap '' TERM; sleep 600 & echo $!; while :; do sleep 600; done";
    const { service, family } = await startShell(script);
    expect(family).toHaveLength(2);
    const ends = await Promise.all([service.stop(50), service.stop(50)]);
    expect(ends).toEqual(Array(2).fill({ exitCode: null, signal: "SIGKILL" }));
    await areGone(family, 1_000);
  });

  it("takes along what left its group while it is still its child", async () => {
    const script =
      "trap '' TERM; setsid sh -c 'echo $$; exec sleep 600' & while :; do sleep 600; done";
    const { service, family } = await startShell(script);
    expect(family).toHaveLength(2);
    await service.stop(50);
    await areGone(family, 1_000);
  });

  it("that ends unasked takes along what it started", async () => {
    const { service, family } = await startShell("sleep 600 & echo $!; read _; exit 3");
    expect(family).toHaveLength(2);
    service.stdin.write("\n");
    expect(await service.closed).toEqual({ exitCode: 3, signal: null });
    await areGone(family, 1_000);
  });

  it("that ends in order lets what it started end in order", async () => {
    using temp = makeTempDir();
    const inner = `trap 'echo bye >${temp.path}/bye; exit' TERM; echo $$; while :; do sleep 0.02; done`;
    const { service, family } = await startShell(`sh -c "${inner.replaceAll("$", "\\$")}" & cat`);
    expect(await service.stop(60_000)).toEqual({ exitCode: 0, signal: null });
    await areGone(family, 1_000);
    expect(readFileSync(join(temp.path, "bye"), "utf8")).toBe("bye\n");
  });

  it("is closed although a process that left it holds its pipes", async () => {
    const { service, family } = await startShell(
      "setsid sh -c 'echo $$; exec sleep 600' & read _; exit 0",
    );
    expect(family).toHaveLength(2);
    service.stdin.write("\n");
    expect(await service.closed).toEqual({ exitCode: 0, signal: null });
    expect(service.stdout.destroyed).toBe(true);
    killProcess(family[1]!.pid);
  });

  it("is killed at once when that is asked", async () => {
    const { service, family } = await startShell("sleep 600 & echo $!; wait");
    service.kill();
    expect(await service.exited).toEqual({ exitCode: null, signal: "SIGKILL" });
    await areGone(family, 1_000);
  });

  it("ends with the process that started it, when that ends in order", async () => {
    using source = makePlainSource(["base", "process"]);
    const program = join(source.path, "start-and-leave.js");
    writeFileSync(
      program,
      `import { startService } from "./process/start-service.js";
const { pid } = await startService("sleep", ["600"], { env: { PATH: "/usr/bin:/bin" } });
process.stdout.write(String(pid), () => process.exit(0));
`,
    );
    const child = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
    const pid = Number(await text(child.stdout));
    expect(pid).toBeGreaterThan(0);
    const left = await identifyProcess(pid);
    // without a start it has ended, and its new parent has not heard of it yet
    if (left !== undefined && left.startTicks !== null) await areGone([left], 1_000);
  });

  it.each([
    ["no-such-program", {}, "TOOL_MISSING"],
    ["/etc/passwd", {}, "PROCESS_FAILED"],
    ["sh", { cwd: "/no/such/folder" }, "PROCESS_FAILED"],
    ["a\0b", {}, "PROCESS_FAILED"],
  ])("that is %j with %j cannot be started: %s", async (file, options, code) => {
    await expect(startService(file, [], { env, ...options })).rejects.toMatchObject({ code });
  });
});
