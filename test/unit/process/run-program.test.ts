import { describe, expect, it } from "vitest";
import { defaultProgramEnv, runProgram, streamProgram } from "../../../src/process/run-program.ts";
import type { RunProgramOptions } from "../../../src/process/run-program.ts";

const sh = (script: string, options?: RunProgramOptions): ReturnType<typeof runProgram> =>
  runProgram("sh", ["-c", script], options);

describe("running a program", () => {
  it("gives what it printed", async () => {
    const result = await sh("echo out; echo err >&2");
    expect({ ...result, stdout: result.stdout.toString() }).toEqual({
      exitCode: 0,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  it("fails with its exit code and its last line", async () => {
    await expect(sh("echo first >&2; echo last >&2; exit 3")).rejects.toMatchObject({
      code: "PROCESS_FAILED",
      message: "sh ended with exit code 3: last",
      details: { stderr: "first\nlast\n", command: expect.stringContaining("sh -c") as unknown },
    });
  });

  it("gives an exit code as a result where it was asked to", async () => {
    expect(await sh("exit 3", { allowFailure: true })).toMatchObject({ exitCode: 3 });
  });

  it("says which signal ended it", async () => {
    await expect(sh("kill -TERM $$")).rejects.toMatchObject({
      code: "PROCESS_FAILED",
      message: "sh was ended by SIGTERM",
    });
  });

  it("says when there is no such program", async () => {
    await expect(runProgram("no-such-program", [])).rejects.toMatchObject({
      code: "TOOL_MISSING",
      details: { program: "no-such-program" },
    });
  });

  it("says when it cannot be executed", async () => {
    await expect(runProgram("/etc/passwd", [])).rejects.toMatchObject({ code: "PROCESS_FAILED" });
  });

  it("keeps no more output than it may, and says so", async () => {
    const endless = sh("while :; do echo line; done", { outputBytesMax: 1000 });
    await expect(endless).rejects.toMatchObject({
      code: "PROCESS_FAILED",
      message: "sh printed over 1000 bytes",
    });
  });

  it("keeps output of just the largest size", async () => {
    const { stdout } = await sh("printf 1234567890", { outputBytesMax: 10 });
    expect(stdout.toString()).toBe("1234567890");
  });

  it("keeps the end of what it complains", async () => {
    const { stderr } = await sh("seq 1 9999 >&2");
    expect(stderr).toHaveLength(4096);
    expect(stderr.endsWith("9998\n9999\n")).toBe(true);
  });

  it("gives up when the time is up", async () => {
    await expect(sh("exec sleep 60", { timeoutMs: 50 })).rejects.toMatchObject({
      code: "TIMEOUT",
      message: "sh took longer than 0.05 s",
    });
  });

  it("gives up when the time is up although a child of its child holds its output", async () => {
    await expect(sh("sleep 20 & exit 0", { timeoutMs: 200 })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
  });

  it("ends with the caller's own reason, in the middle or before", async () => {
    const over = new AbortController();
    const reason = new Error("enough");
    const running = sh("exec sleep 60", { signal: over.signal });
    setTimeout(() => over.abort(reason), 20);
    await expect(running).rejects.toBe(reason);
    await expect(sh("true", { signal: over.signal })).rejects.toBe(reason);
  });

  it("gives it the null device, or the input it was given", async () => {
    expect((await sh("cat")).stdout).toHaveLength(0);
    expect((await sh("cat", { input: "text" })).stdout.toString()).toBe("text");
    const bytes = Buffer.alloc(1_000_000, 7);
    expect((await sh("cat", { input: bytes })).stdout.equals(bytes)).toBe(true);
  });

  it("does not mind input that nobody reads", async () => {
    const input = Buffer.alloc(1_000_000);
    expect(await sh("exit 0", { input })).toMatchObject({ exitCode: 0 });
  });

  it("gives it no variable but those it was given", async () => {
    const names = async (options?: RunProgramOptions): Promise<string> =>
      (await runProgram("/usr/bin/env", [], options)).stdout.toString();
    expect(await names()).toBe(
      `PATH=${defaultProgramEnv["PATH"] ?? ""}\nLANG=${defaultProgramEnv["LANG"] ?? ""}\n`,
    );
    expect(await names({ env: { ONLY: "this" } })).toBe("ONLY=this\n");
  });

  it("runs it where it was told to", async () => {
    expect((await runProgram("pwd", ["-P"], { cwd: "/" })).stdout.toString()).toBe("/\n");
  });
});

describe("streaming a program", () => {
  it("gives its output as it comes, and its end", async () => {
    const { stdout, done } = streamProgram("sh", ["-c", "echo one; echo two"]);
    let text = "";
    for await (const chunk of stdout) text += String(chunk);
    await done;
    expect(text).toBe("one\ntwo\n");
  });

  it("cuts the output of one that fails", async () => {
    const { stdout, done } = streamProgram("sh", ["-c", "echo one; exit 9"]);
    stdout.resume();
    await expect(done).rejects.toMatchObject({ message: "sh ended with exit code 9" });
    expect(stdout.destroyed).toBe(true);
  });
});
