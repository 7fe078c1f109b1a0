import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { parseApplyWord } from "../../../src/cli/apply-word.ts";
import { parseVariables } from "../../../src/cli/commands/run.ts";
import { exitCodes } from "../../../src/cli/exit-codes.ts";
import { runProgram } from "../../../src/cli/program.ts";
import { reportError } from "../../../src/cli/report-error.ts";
import { LuminaGuardError } from "../../../src/errors.ts";
import { createFakeIo } from "../../support/fake-io.ts";

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...argv: readonly string[]): Promise<Said> {
  const { io, stdout, stderr } = createFakeIo();
  const code = await runProgram(argv, io, "1.2.3");
  return { code, stdout: stdout(), stderr: stderr() };
}

describe("the exit codes", () => {
  it("are those of container tools, and three for changes", () => {
    expect(exitCodes).toEqual({
      done: 0,
      broken: 1,
      kept: 10,
      rejected: 11,
      conflict: 12,
      timedOut: 124,
      failed: 125,
      cannotExecute: 126,
      notFound: 127,
      interrupted: 130,
    });
  });
});

describe("the command line", () => {
  it("says its version", async () => {
    expect(await run("--version")).toEqual({ code: 0, stdout: "1.2.3\n", stderr: "" });
  });

  it("asks which command when there is none", async () => {
    expect(await run()).toEqual({
      code: 125,
      stdout: "",
      stderr: "luminaguard: which command?\n  luminaguard --help\n",
    });
  });

  it.each([
    [["rnu"], "unknown command 'rnu'", "did you mean run?"],
    [["image", "biuld", "x"], "unknown command 'biuld'", "did you mean build?"],
    [["run", "--imagee", "x"], "unknown option '--imagee'", "did you mean --image?"],
    [["image", "build"], "missing required argument 'name'", "--help"],
    [["run", "--memory", "-1"], "whole number", "--help"],
    [["run", "--memory", "1e999"], "whole number", "--help"],
    [["run", "--cpus", ""], "whole number", "--help"],
    [["completion", "tcsh"], "Allowed choices are bash, zsh, fish", "--help"],
    [["run"], "which command should run?", "luminaguard run -- ls -l"],
    [["run", "--apply", "allways", "--", "x"], "--apply cannot be", 'did you mean "always"?'],
    [["changes", "apply", "7K2M", "--apply", "never"], "to apply never", "changes rm 7K2M"],
  ])("answers %j with what is wrong and what to do", async (argv, wrong, hint) => {
    const { code, stdout, stderr } = await run(...argv);
    expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
    const [first = "", second = ""] = stderr.split("\n");
    expect(first).toContain(wrong);
    expect(second).toContain(hint);
  });

  it("answers in JSON where JSON was asked for, and not for the command's own --json", async () => {
    const { code, stdout, stderr } = await run("run", "--json");
    expect({ code, stderr }).toEqual({ code: 125, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: "USAGE",
        message: "which command should run?",
        hint: "put it after --, as in: luminaguard run -- ls -l",
      },
    });
    expect((await run("run", "--cpus", "x", "--", "tool", "--json")).stdout).toBe("");
  });
});

describe("an error on the command line", () => {
  const cause = new Error("the disk is full");
  const error = new LuminaGuardError("HOST_LIMIT", "no \u001b[2Jroom", {
    hint: "make\nroom",
    details: { path: "/x" },
    cause,
  });

  it("is one line for what happened and one for what to do, safe for a terminal", () => {
    const { io, stderr } = createFakeIo();
    reportError(io, error, { json: false, debug: false });
    expect(stderr()).toBe("luminaguard: no \\x1b[2Jroom\n  make\\nroom\n");
  });

  it("shows where it came from, and its causes, when it is asked to", () => {
    const { io, stderr } = createFakeIo();
    reportError(io, error, { json: false, debug: true });
    expect(stderr()).toMatch(/\n\s+at .*program\.test\.ts/);
    expect(stderr()).toContain('details: {"path":"/x"}');
    expect(stderr()).toContain("caused by: Error: the disk is full");
  });

  it("that is a mistake of ours says so", () => {
    const { io, stderr } = createFakeIo();
    reportError(io, new TypeError("x is not a function"), { json: false, debug: false });
    expect(stderr()).toContain("luminaguard: x is not a function\n  this is a mistake of ours");
  });

  it("in JSON has code, message and hint, and no more", () => {
    const said = [error, "thrown text"].map((thrown) => {
      const { io, stdout } = createFakeIo();
      reportError(io, thrown, { json: true, debug: false });
      return (JSON.parse(stdout()) as { error: { code: string } }).error;
    });
    expect(said[0]).toEqual({ code: "HOST_LIMIT", message: "no \\x1b[2Jroom", hint: "make\nroom" });
    expect(said[1]?.code).toBe("INTERNAL");
  });
});

describe("--apply", () => {
  it("is ask, never or always", () => {
    expect(["ask", "never", "always"].map(parseApplyWord)).toEqual(["ask", "never", "always"]);
    expect(() => parseApplyWord("yes")).toThrow(
      expect.objectContaining({ code: "USAGE", hint: "it is one of ask, never, always" }),
    );
  });
});

describe("--env", () => {
  it("gives a value as it stands, or this process's own", () => {
    expect(parseVariables(["A=1", "B=", "C=x=y", "PATH"])).toEqual({
      A: "1",
      B: "",
      C: "x=y",
      PATH: process.env["PATH"],
    });
  });

  it.each(["=x", "1A=x", "A-B=x", "NO_SUCH_VARIABLE_HERE", ""])("refuses %j", (text) => {
    expect(() => parseVariables([text])).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});

describe("completion", () => {
  it.each(["bash", "zsh", "fish"])("for %s names every command", async (shell) => {
    const { code, stdout } = await run("completion", shell);
    expect(code).toBe(0);
    for (const word of ["run", "doctor", "prune", "apply", "--image", "--packages"]) {
      expect(stdout).toContain(shell === "fish" ? word.replace("--", "-l ") : word);
    }
  });

  it.each([
    ["luminaguard im", ["image"]],
    ["luminaguard image b", ["build"]],
    ["luminaguard run --wor", ["--workdir"]],
    ["luminaguard run -- --wor", []],
    ["luminaguard changes ", ["ls", "show", "apply", "rm", "--help"]],
  ])("in bash completes %j with %j", async (line, expected) => {
    const { stdout } = await run("completion", "bash");
    const words = line.split(" ");
    const script = `${stdout}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}
_luminaguard; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const said = execFileSync("bash", ["--norc"], { input: script, encoding: "utf8" });
    expect(said.split("\n").filter((word) => word !== "")).toEqual(expected);
  });
});
