import { chmod, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";

let home: CliHome;
beforeAll(async () => {
  home = await createCliHome();
});
afterAll(() => home[Symbol.asyncDispose]());

const inMachine = (script: string, ...options: string[]): string[] => [
  "run",
  "--no-workspace",
  ...options,
  "--",
  "sh",
  "-c",
  script,
];

describe("luminaguard run", () => {
  it("prints the command's own output on stdout and nothing else", async () => {
    const { stdout, stderr, exitCode } = await home.run(inMachine("echo out; echo err >&2"));
    expect({ exitCode, stdout: stdout.toString("utf8") }).toEqual({ exitCode: 0, stdout: "out\n" });
    expect(stderr).toMatch(/^ {2}machine {3}cloned in [\d.]+ s · qemu\/tcg .*· no network$/m);
    expect(stderr).toMatch(/^ {2}done {6}exit 0 in [\d.]+ s · machine destroyed$/m);
    expect(stderr).toContain("err\n");
  });

  it("ends with the command's own exit code", async () => {
    expect((await home.run(inMachine("exit 42"))).exitCode).toBe(42);
  });

  it("ends with 128 + N when a signal ended the command", async () => {
    expect((await home.run(inMachine("kill -KILL $$"))).exitCode).toBe(137);
  });

  it("ends with 124 when the time is up", async () => {
    const { exitCode, stderr } = await home.run(inMachine("sleep 60", "--timeout", "1"));
    expect(exitCode).toBe(124);
    expect(stderr).toContain("timed out");
  });

  it("ends with 127 and names the image that would have the command", async () => {
    const { exitCode, stderr } = await home.run(["run", "--no-workspace", "--", "git", "status"]);
    expect(exitCode).toBe(127);
    expect(stderr).toContain("luminaguard image build git --packages git");
  });

  it("ends with 126 when the command cannot be executed", async () => {
    const { exitCode } = await home.run(["run", "--no-workspace", "--", "/etc/passwd"]);
    expect(exitCode).toBe(126);
  });

  it("passes stdin through, byte for byte", async () => {
    const input = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const { stdout } = await home.run(["run", "--no-workspace", "--", "cat"], { input });
    expect(stdout.equals(input)).toBe(true);
  });

  it("passes named variables and values, and no others", async () => {
    const env = { ONE: "first", SECRET_TOKEN: "hidden" };
    const args = ["run", "--no-workspace", "--env", "ONE", "--env", "TWO=a=b", "--", "env"];
    const { stdout } = await home.run(args, { env });
    const lines = stdout.toString("utf8").split("\n");
    expect(lines).toEqual(expect.arrayContaining(["ONE=first", "TWO=a=b"]));
    expect(stdout.toString("utf8")).not.toContain("hidden");
  });

  it("runs as an ordinary user with no network card", async () => {
    const { stdout } = await home.run(inMachine("id -u; ls /sys/class/net"));
    expect(stdout.toString("utf8")).toBe("1000\nlo\n");
  });

  it("gives one JSON document and silence with --json", async () => {
    await writeFile(join(home.project, "in.txt"), "one\n");
    const args = [
      "run",
      "--json",
      "--",
      "sh",
      "-c",
      "echo hi; echo two > in.txt; echo x > .hidden",
    ];
    const { stdout, stderr, exitCode } = await home.run(args);
    expect(stderr).toBe("");
    const document = JSON.parse(stdout.toString("utf8")) as Record<string, unknown>;
    expect(document).toMatchObject({
      exitCode: 0,
      stdout: "hi\n",
      backend: "qemu",
      spawn: { kind: "clone" },
      applied: [],
      changes: [
        { path: ".hidden", kind: "added", bytes: 2, flags: ["dotfile"] },
        { path: "in.txt", kind: "modified", bytes: 4, flags: [] },
      ],
    });
    expect(document["changeSet"]).toMatch(/^[0-9A-Z]{4,}$/);
    expect(exitCode).toBe(10);
  });
});

describe("a folder in a machine", () => {
  it("changes nothing on the host until the changes are applied", async () => {
    await using own = await createCliHome();
    await writeFile(join(own.project, "a.txt"), "one\n");
    await writeFile(join(own.project, "gone.txt"), "bye\n");
    const script = "echo two > a.txt; rm gone.txt; mkdir new; echo new > new/b.txt";
    const { exitCode, stderr } = await own.run([
      "run",
      "--apply",
      "never",
      "--",
      "sh",
      "-c",
      script,
    ]);
    expect(exitCode).toBe(10);
    expect(await readFile(join(own.project, "a.txt"), "utf8")).toBe("one\n");
    const id = /approvals reopen (\S+)/.exec(stderr)?.[1] ?? "";
    expect((await own.run(["changes", "apply", id, "--apply", "always"])).exitCode).toBe(0);
    expect(await readFile(join(own.project, "a.txt"), "utf8")).toBe("two\n");
    expect(await readFile(join(own.project, "new/b.txt"), "utf8")).toBe("new\n");
    expect((await readdir(own.project)).sort()).toEqual(["a.txt", "new"]);
    expect((await own.run(["changes", "ls", "--json"])).stdout.toString("utf8").trim()).toBe("[]");
  });

  it("never applies a flagged file unasked", async () => {
    await using own = await createCliHome();
    const script =
      "echo ok > fine.txt; mkdir -p .github/workflows; echo on: push > .github/workflows/x.yml";
    const { exitCode, stderr } = await own.run([
      "run",
      "--apply",
      "always",
      "--",
      "sh",
      "-c",
      script,
    ]);
    expect(exitCode).toBe(10);
    expect(stderr).toContain("⚑ runs in your CI");
    expect(await readdir(own.project)).toEqual(["fine.txt"]);
  });

  it("is a conflict when the host's file changed meanwhile", async () => {
    await using own = await createCliHome();
    const file = join(own.project, "a.txt");
    await writeFile(file, "one\n");
    const { stderr } = await own.run([
      "run",
      "--apply",
      "never",
      "--",
      "sh",
      "-c",
      "echo two > a.txt",
    ]);
    await writeFile(file, "mine\n");
    const id = /approvals reopen (\S+)/.exec(stderr)?.[1] ?? "";
    expect((await own.run(["changes", "apply", id, "--apply", "always"])).exitCode).toBe(12);
    expect(await readFile(file, "utf8")).toBe("mine\n");
  });

  it("leaves credentials out, says so, and sends them when they are named", async () => {
    await using own = await createCliHome();
    await writeFile(join(own.project, ".env"), "TOKEN=1\n");
    await mkdir(join(own.project, "node_modules"));
    await writeFile(join(own.project, ".gitignore"), "node_modules\n");
    const list = ["--", "ls", "-A"];
    const without = await own.run(["run", ...list]);
    expect(without.stdout.toString("utf8")).toBe(".gitignore\n");
    expect(without.stderr).toMatch(/left out: .*\.env.*credentials.*node_modules.*ignored/);
    const named = await own.run(["run", "--include", ".env", ...list]);
    expect(named.stdout.toString("utf8")).toContain(".env\n");
  });

  it("keeps the executable bit and the folder's owner", async () => {
    await using own = await createCliHome();
    await writeFile(join(own.project, "go.sh"), "#!/bin/sh\necho ran as $(id -un)\n");
    await chmod(join(own.project, "go.sh"), 0o755);
    const { stdout } = await own.run(["run", "--", "./go.sh"]);
    expect(stdout.toString("utf8")).toBe("ran as user\n");
  });

  it("refuses the home folder", async () => {
    const { exitCode, stderr } = await home.run(["run", "--", "true"], {
      env: { HOME: home.project },
    });
    expect(exitCode).toBe(125);
    expect(stderr).toContain("home folder");
  });
});
