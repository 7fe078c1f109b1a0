/**
 * A repository that makes git run programs makes us run none (A9): nothing on the host ever calls git on a
 * workspace, what a machine plants for it is refused or flagged. Prior art: CVE-2025-65099 and the whole
 * family of core.fsmonitor, hooksPath, filter and textconv; CVE-2024-32002, hooks by way of a submodule.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { makeTree, readTree } from "../support/make-tree.ts";
import { openTerminal } from "../support/terminal.ts";

let home: CliHome;
beforeEach(async () => {
  home = await createCliHome();
});
afterEach(() => home[Symbol.asyncDispose]());

const marker = (): string => join(home.project, "..", "ran");

/** Every key of git's configuration that names a program. */
function hostileConfig(): string {
  const run = `touch ${marker()}`;
  return `[core]
	fsmonitor = "${run}"
	hooksPath = .hooks
	sshCommand = "${run}"
	pager = "${run}"
	editor = "${run}"
[filter "evil"]
	clean = "${run}"
	smudge = "${run}"
	process = "${run}"
	required = true
[diff]
	external = "${run}"
[diff "evil"]
	textconv = "${run}"
	command = "${run}"
[merge "evil"]
	driver = "${run}"
[credential]
	helper = "!${run}"
[gpg]
	program = "${run}"
[include]
	path = ../.gitconfig
[protocol "ext"]
	allow = always
[submodule "evil"]
	url = "ext::sh -c ${run.replaceAll(" ", "% ")}"
	update = "!${run}"
`;
}

/** A search path on which git, and what it would call, says that it was called. */
function watchedPath(): string {
  const folder = join(home.project, "..", "bin");
  mkdirSync(folder, { recursive: true });
  for (const name of ["git", "ssh", "gpg", "gh"]) {
    writeFileSync(join(folder, name), `#!/bin/sh\ntouch ${marker()}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return `${folder}:${process.env["PATH"] ?? ""}`;
}

function plantHooks(folder: string): void {
  for (const name of [
    "pre-commit",
    "post-checkout",
    "post-index-change",
    "reference-transaction",
  ]) {
    makeTree(folder, { [name]: { run: `#!/bin/sh\ntouch ${marker()}\n` } });
  }
}

describe("a repository with programs in its configuration", () => {
  it("runs none of them on the host: not when it is sent, shown or written", async () => {
    execFileSync("git", ["init", "-q", home.project]);
    makeTree(home.project, { "a.txt": "old\n", ".gitattributes": "* filter=evil diff=evil\n" });
    execFileSync("git", ["-C", home.project, "add", "a.txt"]);
    plantHooks(join(home.project, ".git/hooks"));
    plantHooks(join(home.project, ".hooks"));
    makeTree(home.project, {
      ".gitmodules": '[submodule "evil"]\n\tpath = sub\n\turl = ../evil\n',
    });
    writeFileSync(join(home.project, ".git/config"), hostileConfig());
    const env = { PATH: watchedPath() };
    await using terminal = openTerminal(home, ["run", "--", "sh", "-c", "echo new > a.txt"], env);
    await terminal.sees("[r] reject");
    await terminal.answers("v", "+new");
    await terminal.answers("q", "[r] reject");
    await terminal.answers("a", "applied   1 of 1");
    await terminal.sees("exit code 0");
    expect(existsSync(marker())).toBe(false);
    // the tricks are real: git itself falls for them
    spawnSync("git", ["-C", home.project, "status"]);
    expect(existsSync(marker())).toBe(true);
  });

  it("whose .git is a file that leads elsewhere is sent as it is, and nothing there runs", async () => {
    makeTree(home.project, { ".git": "gitdir: ../elsewhere\n", "a.txt": "old\n" });
    makeTree(join(home.project, "../elsewhere"), { config: hostileConfig(), HEAD: "ref: x\n" });
    const env = { PATH: watchedPath() };
    const { stderr } = await home.run(["run", "--", "sh", "-c", "echo new > a.txt"], { env });
    expect(stderr).toContain("kept      7 days");
    expect(existsSync(marker())).toBe(false);
  });
});

describe("a machine that plants something for git", () => {
  const planted = [
    ["a hook", "mkdir -p .git/hooks; echo evil > .git/hooks/pre-commit"],
    ["a configuration", "mkdir -p .git; echo evil > .git/config"],
    ["a .git that is a file", "echo 'gitdir: /tmp' > .git"],
    ["a .git that is a link", "ln -s /tmp .git"],
    ["a repository below", "mkdir -p sub/.git; echo evil > sub/.git/config"],
    ["another spelling", "mkdir -p .GIT; echo evil > .GIT/config; echo x > 'git~1'"],
  ] as const;

  it("gets none of it out", async () => {
    const script = planted.map(([, plant], at) => `mkdir ${at}; (cd ${at}; ${plant})`).join("; ");
    const { stderr } = await home.run(["run", "--apply", "always", "--", "sh", "-c", script]);
    const written = Object.keys(readTree(home.project)).join("\n");
    expect(written).not.toMatch(/\.git|git~1/i);
    expect(stderr).toMatch(/refused|stayed in the machine/);
  });

  it("is flagged on the card for what git reads beside it, and none is written unseen", async () => {
    const script = [
      "echo '* filter=evil' > .gitattributes",
      "echo '[submodule]' > .gitmodules",
      "mkdir .githooks; echo evil > .githooks/pre-commit",
      "ln -s /etc/passwd out",
    ].join("; ");
    const { stderr } = await home.run(["run", "--apply", "always", "--", "sh", "-c", script]);
    expect(stderr).toContain("changes how git behaves");
    expect(stderr).toContain("hook");
    expect(stderr).toContain("link out of the tree");
    expect(readTree(home.project)).toEqual({});
  });
});
