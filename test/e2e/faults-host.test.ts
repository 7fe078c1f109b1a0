/** A host that lacks something: each is one line that says what, one that says what to do, and nothing left. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome, CliResult } from "../support/cli.ts";
import { fillCache } from "../support/own-cache.ts";

let home: CliHome;
let temp: string;
beforeAll(async () => {
  home = await createCliHome();
  temp = await mkdtemp(join(tmpdir(), "lg-"));
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await rm(temp, { recursive: true, force: true });
});

const isRoot = process.getuid?.() === 0;
const run = (env: Record<string, string>, ...options: string[]): Promise<CliResult> => {
  return home.run(["run", ...options, "--", "sh", "-c", "echo done; echo x > made"], { env });
};

function expectToldWell(result: CliResult, says: RegExp, hint: RegExp): void {
  const lines = result.stderr.trimEnd().split("\n");
  const at = lines.findIndex((line) => line.startsWith("luminaguard:"));
  expect({ exitCode: result.exitCode, stderr: result.stderr }).toMatchObject({ exitCode: 125 });
  expect(lines[at]).toMatch(says);
  expect(lines.slice(at + 1).join("\n")).toMatch(hint);
  expect(result.stderr).not.toMatch(/mistake of ours|^\s+at /m);
}

describe("a host", () => {
  it("without QEMU says what to install", async () => {
    const empty = join(temp, "empty");
    await mkdir(empty);
    await symlink(process.execPath, join(empty, "node"));
    expectToldWell(
      await run({ PATH: empty }),
      /QEMU .*is not installed/,
      /sudo apt-get install qemu-system/,
    );
  });

  it("with a QEMU that is too old says so and what to install", async () => {
    const old = join(temp, "old");
    await mkdir(old);
    for (const name of ["qemu-system-x86_64", "qemu-system-aarch64"]) {
      await writeFile(join(old, name), "#!/bin/sh\necho QEMU emulator version 5.2.0\n");
      await chmod(join(old, name), 0o755);
    }
    const result = await run({ PATH: `${old}:${process.env["PATH"] ?? ""}` });
    expectToldWell(
      result,
      /QEMU 5\.2\.0 is too old; 7\.2\.0 is needed/,
      /sudo apt-get install qemu-system/,
    );
  });

  it("with a runtime folder whose path is too long for a socket says how to shorten it", async () => {
    const result = await run({ LUMINAGUARD_RUNTIME_DIR: join(temp, "x".repeat(90)) });
    expectToldWell(result, /path is too long/, /LUMINAGUARD_RUNTIME_DIR/);
  });

  it("with a runtime folder that others may enter refuses it", async () => {
    const open = join(temp, "open");
    await mkdir(open);
    await chmod(open, 0o777);
    expectToldWell(
      await run({ LUMINAGUARD_RUNTIME_DIR: open }),
      /not a folder that only this user may enter/,
      /chmod 700/,
    );
  });

  it.each(["LUMINAGUARD_CACHE_DIR", "LUMINAGUARD_STATE_DIR", "LUMINAGUARD_RUNTIME_DIR"])(
    "with a file where the folder of %s should be says which",
    async (variable) => {
      const file = join(temp, variable);
      await writeFile(file, "");
      expectToldWell(await run({ [variable]: file }), new RegExp(variable), /./);
    },
  );
});

const canMount = isRoot && tryMount();
if (!canMount)
  console.warn("full disks are not tested: a small file system cannot be mounted here");

describe.skipIf(!canMount)("a full disk (needs a mount)", () => {
  it.each([
    ["cache", "LUMINAGUARD_CACHE_DIR"],
    ["state", "LUMINAGUARD_STATE_DIR"],
    ["runtime", "LUMINAGUARD_RUNTIME_DIR"],
  ])("under the %s folder is told, and leaves nothing half written", async (name, variable) => {
    const at = join(temp, `disk-${name}`);
    await mkdir(at);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=40m,mode=0700", "tmpfs", at]);
    try {
      const folder = join(at, name);
      await mkdir(folder, { mode: 0o700 });
      if (name === "cache") await fillCache(folder);
      const fill = (): void => {
        try {
          execFileSync("dd", ["if=/dev/zero", `of=${join(at, "fill")}`, "bs=4k"], {
            stdio: "ignore",
          });
        } catch {
          return; // it ends when the disk is full
        }
      };
      fill();
      expectToldWell(
        await run({ [variable]: folder }),
        /disk|space|full/i,
        /disk|space|full|room/i,
      );
      const left = existsSync(folder)
        ? readdirSync(folder, { recursive: true, encoding: "utf8" })
        : [];
      expect(left.filter((path) => /draft|\.new$|\.tmp$|^vm-/.test(path))).toEqual([]);
      // and all is well again when there is room
      await rm(join(at, "fill"));
      if (name !== "cache")
        expect((await run({ [variable]: folder }, "--apply", "never")).exitCode).toBe(10);
    } finally {
      execFileSync("umount", ["-l", at]);
    }
  });

  it("with room for an image and none for a template says what to free", async () => {
    const at = join(temp, "disk-template");
    await mkdir(at);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=30m,mode=0700", "tmpfs", at]);
    try {
      await fillCache(join(at, "cache"));
      const result = await run({ LUMINAGUARD_CACHE_DIR: join(at, "cache") });
      expectToldWell(result, /the disk is full: there is no room for a template/, /cache prune/);
      expect(readdirSync(join(at, "cache", "templates"))).toEqual([]);
    } finally {
      execFileSync("umount", ["-l", at]);
    }
  });
});

function tryMount(): boolean {
  const at = execFileSync("mktemp", ["-d"], { encoding: "utf8" }).trim();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", at], { stdio: "ignore" });
    execFileSync("umount", [at]);
    return true;
  } catch {
    return false;
  } finally {
    execFileSync("rmdir", [at]);
  }
}
