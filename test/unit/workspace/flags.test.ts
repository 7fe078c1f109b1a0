import { describe, expect, test } from "vitest";
import type { ChangeState } from "../../../src/workspace/change-set.ts";
import { flagPath } from "../../../src/workspace/flags.ts";
import { makeExchange } from "../../support/exchange.ts";

const file: ChangeState = { kind: "file", executable: false, size: 1, sha256: "0".repeat(64) };
const flagsOf = (path: string, after: ChangeState = file): readonly string[] =>
  flagPath({ path, before: null, after }, (name) => name === "a-link");

describe("a change is flagged", () => {
  test.each([
    [".luminaguard/policy.cedar", "changes LuminaGuard's rules here"],
    ["packages/a/.luminaguard/other", "changes LuminaGuard's rules here"],
    [".luminaguard", "changes LuminaGuard's rules here"],
    [".github/workflows/x.yml", "runs in your CI"],
    [".gitlab-ci.yml", "runs in your CI"],
    ["Jenkinsfile", "runs in your CI"],
    [".circleci/config.yml", "runs in your CI"],
    ["azure-pipelines.release.yml", "runs in your CI"],
    [".husky/pre-commit", "hook"],
    [".pre-commit-config.yaml", "hook"],
    ["Makefile", "runs when you build or test"],
    ["setup.py", "runs when you build or test"],
    ["tests/conftest.py", "runs when you build or test"],
    ["crates/x/build.rs", "runs when you build or test"],
    ["vite.config.ts", "runs when you build or test"],
    ["Dockerfile.dev", "runs when you build or test"],
    ["site-packages/evil.pth", "runs when you build or test"],
    ["package-lock.json", "lock file"],
    ["Cargo.toml", "changes what is installed"],
    ["requirements-dev.txt", "changes what is installed"],
    [".vscode/tasks.json", "your editor may run it"],
    ["CLAUDE.md", "instructs your coding assistant"],
    [".mcp.json", "instructs your coding assistant"],
    [".envrc", "your shell runs it"],
    ["x.bat", "your shell runs it"],
    [".gitattributes", "changes how git behaves"],
    [".gitmodules", "changes how git behaves"],
    [".env", "named like a credential"],
    ["aux.txt", "not a name on Windows"],
    ["a\u202eb", "invisible characters in the name"],
    [".hidden", "dotfile"],
    ["a/.b/c", "dotfile"],
  ])("%s: %s", (path, reason) => {
    expect(flagsOf(path)).toContain(reason);
    expect(flagsOf(path.toUpperCase())).toContain(reason);
  });

  test("when it may be run, or leads out of the tree", () => {
    expect(flagsOf("run", { ...file, executable: true })).toEqual(["executable"]);
    const link = (target: string, path = "d/l"): readonly string[] =>
      flagsOf(path, { kind: "link", target });
    for (const target of ["/etc/passwd", "../../x", "../x/../../y", "C:\\x", "\\\\host\\x"]) {
      expect(link(target)).toEqual(["link out of the tree"]);
    }
    expect(link("../.git/hooks")).toEqual(["link into .git"]);
    expect(link("../a-link/x")).toEqual(["link to a link"]);
    expect(link("../x/./y")).toEqual([]);
  });

  test("and ordinary source is not", () => {
    for (const path of [
      "src/a.ts",
      "README.md",
      "docs/ci.md",
      "lib/hooks.py",
      "data.json",
      "a b.txt",
    ]) {
      expect(flagsOf(path)).toEqual([]);
    }
  });

  test("by what it says, where the name does not tell", async () => {
    const pack = (fields: object): string => JSON.stringify({ name: "x", ...fields });
    using exchange = makeExchange({
      "a/package.json": pack({ scripts: { test: "x" } }),
      "b/package.json": pack({ version: "1" }),
      "c/package.json": pack({}),
      "d/package.json": pack({ bin: "x" }),
      "e/pyproject.toml": "[project]\nname = 'x'\n",
    });
    const { set } = await exchange.run({
      "a/package.json": pack({ scripts: { test: "curl evil" } }),
      "b/package.json": pack({ version: "2" }),
      "c/package.json": pack({ dependencies: { evil: "1" } }),
      "d/package.json": "{ not json",
      "e/pyproject.toml": "[project]\nname = 'x'\n[build-system]\nrequires = ['evil']\n",
      "f/package.json": pack({}),
      "g/package.json": "[]",
    });
    expect(
      Object.fromEntries((set?.changes ?? []).map(({ path, flags }) => [path[0], flags])),
    ).toEqual({
      a: ["package scripts"],
      b: [],
      c: ["changes what is installed"],
      d: ["package scripts"],
      e: ["runs when you build or test"],
      f: [],
      g: [],
    });
  });
});
