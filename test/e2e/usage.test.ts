import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";

let home: CliHome;
beforeAll(async () => {
  home = await createCliHome();
});
afterAll(() => home[Symbol.asyncDispose]());

describe("a command line that is not understood", () => {
  it.each([
    { args: ["rnu"], says: "unknown command 'rnu'", hint: "did you mean run?" },
    {
      args: ["run", "--imagee", "x", "--", "true"],
      says: "unknown option '--imagee'",
      hint: "did you mean --image?",
    },
    { args: ["run"], says: "which command should run?", hint: "luminaguard run -- ls -l" },
    { args: ["run", "--memory", "lots", "--", "true"], says: "whole number", hint: "--help" },
    { args: ["run", "--memory", "1", "--", "true"], says: "memoryMib is 1", hint: "from 96 to" },
    {
      args: ["run", "--apply", "allways", "--", "true"],
      says: "--apply cannot be",
      hint: 'did you mean "always"?',
    },
    {
      args: ["run", "--image", "bsae", "--", "true"],
      says: 'there is no image "bsae"',
      hint: 'did you mean "base"?',
    },
    { args: ["changes", "show", "ZZZZ"], says: "ZZZZ", hint: "changes ls" },
  ])("$args ends with 125, says what is wrong and what to do", async ({ args, says, hint }) => {
    const { exitCode, stderr, stdout } = await home.run(args);
    expect({ exitCode, stdout: stdout.toString("utf8") }).toEqual({ exitCode: 125, stdout: "" });
    expect(stderr).toContain(says);
    expect(stderr).toContain(hint);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it("is a JSON document when one was asked for", async () => {
    const { stdout } = await home.run(["run", "--json", "--image", "nowhere", "--", "true"]);
    expect(JSON.parse(stdout.toString("utf8"))).toMatchObject({
      error: { code: "IMAGE_NOT_FOUND" },
    });
  });
});

describe("the rest of the command line", () => {
  it("prints its version", async () => {
    expect((await home.run(["--version"])).stdout.toString("utf8")).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([["run"], ["shell"], ["doctor"], ["image", "build"], ["cache", "prune"], ["completion"]])(
    "explains %s %s with an example",
    async (...command) => {
      const { stdout, exitCode } = await home.run([...command, "--help"]);
      expect(exitCode).toBe(0);
      expect(stdout.toString("utf8")).toContain("Examples:");
      const longest = Math.max(
        ...stdout
          .toString("utf8")
          .split("\n")
          .map((line) => line.length),
      );
      expect(longest).toBeLessThanOrEqual(80);
    },
  );

  it("says what the host can do", async () => {
    const { stdout, exitCode } = await home.run(["doctor", "--json"]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout.toString("utf8"))).toMatchObject({ canRun: true });
  });

  it("shows each setting with where it comes from", async () => {
    const { stdout } = await home.run(["config", "show"], {
      env: { LUMINAGUARD_MEMORY_MIB: "256" },
    });
    expect(stdout.toString("utf8")).toMatch(/^memoryMib +256 {2}\(from LUMINAGUARD_MEMORY_MIB\)$/m);
    expect(stdout.toString("utf8")).toMatch(/^cpus +1 {2}\(default\)$/m);
  });

  it.each(["bash", "zsh", "fish"])("completes in %s", async (shell) => {
    const { stdout } = await home.run(["completion", shell]);
    expect(stdout.toString("utf8")).toContain("doctor");
  });
});
