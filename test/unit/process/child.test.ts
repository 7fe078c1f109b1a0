import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { killProcess, startChild, startDetached } from "../../../src/process/child.ts";
import { identifyProcess, identifySelf, isRunning } from "../../../src/process/process-identity.ts";
import { eventually } from "../../support/eventually.ts";
import { makeTempDir } from "../../support/make-tree.ts";

describe("a child", () => {
  it("says how it ended, and what it last said", async () => {
    const child = await startChild("sh", ["-c", "seq 1 9999; echo sorry >&2; exit 4"]);
    expect(await child.exited).toEqual({ exitCode: 4, signal: null });
    expect(child.hasExited()).toBe(true);
    expect(child.stdoutTail()).toHaveLength(4096);
    expect(child.stderrTail()).toBe("sorry\n");
  });

  it("is ended by a signal", async () => {
    const child = await startChild("sleep", ["60"]);
    expect(child.hasExited()).toBe(false);
    child.kill("SIGKILL");
    expect(await child.exited).toEqual({ exitCode: null, signal: "SIGKILL" });
  });

  it("has ended when it has, whoever holds its pipes", async () => {
    const startedAt = performance.now();
    const child = await startChild("sh", ["-c", "sleep 3 & exit 0"]);
    expect(await child.exited).toEqual({ exitCode: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(2_900);
  });

  it("has byte channels from descriptor 3 on, both ways", async () => {
    const child = await startChild("sh", ["-c", "cat <&3 >&4"], { channels: 2 });
    const [into, out] = child.channels;
    into?.end("bytes");
    const [chunk] = (await once(out!, "data")) as [Buffer];
    expect(chunk.toString()).toBe("bytes");
    await child.exited;
  });

  it("gets no variable but those it was given", async () => {
    const child = await startChild("/usr/bin/env", [], { env: { ONLY: "this" } });
    await child.exited;
    // what was printed may arrive after the end
    await eventually("its output", () => child.stdoutTail() !== "");
    expect(child.stdoutTail()).toBe("ONLY=this\n");
  });

  it.each([
    ["no-such-program", "TOOL_MISSING"],
    ["/etc/passwd", "PROCESS_FAILED"],
  ])("that is %s cannot be started: %s", async (file, code) => {
    await expect(startChild(file, [])).rejects.toMatchObject({ code });
  });
});

describe("a detached program", () => {
  it("runs without anybody waiting for it", async () => {
    using temp = makeTempDir();
    const file = join(temp.path, "done");
    startDetached("sh", ["-c", 'echo $PPID >"$1.new" && mv "$1.new" "$1"', "sh", file]);
    while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(Number(readFileSync(file, "utf8"))).toBeGreaterThan(0);
  });

  it("that is not there is no error", () => {
    expect(() => startDetached("no-such-program", [])).not.toThrow();
  });
});

describe("a process's identity", () => {
  it("is this process's own", async () => {
    expect(await identifyProcess(process.pid)).toEqual(identifySelf());
    expect(await isRunning(identifySelf())).toBe(true);
  });

  it("is no other process's that has its number", async () => {
    const self = identifySelf();
    expect(await isRunning({ ...self, startTicks: (self.startTicks ?? 0) + 1 })).toBe(false);
  });

  it("is gone with the process", async () => {
    const child = await startChild("sleep", ["60"]);
    const identity = await identifyProcess(child.pid);
    expect(identity !== undefined && (await isRunning(identity))).toBe(true);
    killProcess(child.pid);
    await child.exited;
    expect(identity !== undefined && (await isRunning(identity))).toBe(false);
    expect(() => killProcess(child.pid)).not.toThrow();
    expect(await identifyProcess(child.pid)).toBeUndefined();
  });

  it("is found for a program with a strange name", async () => {
    const child = await startChild(
      "bash",
      ["-c", "printf ') Z 1 (' >/proc/$$/comm; read -t 60 <&3"],
      {
        channels: 1,
      },
    );
    while (!readFileSync(`/proc/${child.pid}/comm`, "utf8").startsWith(")")) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect((await identifyProcess(child.pid))?.startTicks).toBeGreaterThan(0);
    child.kill("SIGKILL");
    await child.exited;
  });
});
