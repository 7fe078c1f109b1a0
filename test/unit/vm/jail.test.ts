import { chmodSync, copyFileSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { carryOutJailer, planJailer } from "../../../src/runtime/setup-jailer.ts";
import { jailCommand } from "../../../src/vm/backends/firecracker/jail.ts";
import { judgeJailer } from "../../../src/vm/walls/jailer.ts";
import type { JailerQuestion } from "../../../src/vm/walls/jailer.ts";
import { makeTempDir } from "../../support/make-tree.ts";

const jailed = {
  jailer: "/usr/local/bin/jailer",
  binary: "/usr/local/bin/firecracker",
  id: "vm-00001",
  base: "/run/luminaguard/vm-00001/jail",
  uid: 1_879_048_193,
  files: [
    { name: "kernel", path: "/cache/k; rm -rf /", writable: false },
    { name: "memory", path: "/cache/ram", writable: true },
  ],
  addressSpaceBytesMax: 2_000,
  fileBytesMax: 1_000,
};

describe("the jail's command", () => {
  const command = jailCommand(jailed);
  const after = (word: string): string | undefined => command[command.lastIndexOf(word) + 1];

  it("gives the machine a user, namespaces and limits of its own", () => {
    expect([after("--uid"), after("--gid")]).toEqual(["1879048193", "1879048193"]);
    expect(after("--chroot-base-dir")).toBe(jailed.base);
    expect(command).toEqual(
      expect.arrayContaining(["--mount", "--net", "--ipc", "--uts", "--pid", "--no-new-privs"]),
    );
    expect(command).toEqual(expect.arrayContaining(["no-file=1024", "fsize=1000", "--as=2000"]));
  });

  it("ends with its parent", () => {
    expect(command).toContain("--pdeathsig=KILL");
    expect(command).toContain("--kill-child=KILL");
  });

  it("never turns seccomp off, nor takes a filter from anywhere", () => {
    expect(command.join(" ")).not.toMatch(/seccomp/);
  });

  it("hands files over as arguments, which no shell reads, and read-only unless they are written", () => {
    const at = command.indexOf("/cache/k; rm -rf /");
    expect(command.slice(at - 1, at + 5)).toEqual([
      ...["ro", "/cache/k; rm -rf /", "kernel"],
      ...["rw", "/cache/ram", "memory"],
    ]);
  });
});

const isRoot = process.getuid?.() === 0;

/** Two programs that say their version; `static` ones are the smallest ELF with one segment. */
function plant(folder: string, version: string): void {
  mkdirSync(folder, { recursive: true });
  for (const name of ["firecracker", "jailer"]) {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\necho "${name} v${version}"\n`);
    chmodSync(path, 0o755);
  }
}

describe("the jailer", () => {
  const question = (folder: string, more: Partial<JailerQuestion> = {}): JailerQuestion => ({
    asRoot: true,
    firecracker: { path: join(folder, "firecracker"), version: "1.16.1", fingerprint: "" },
    searchPath: folder,
    ...more,
  });

  it("is root's alone", async () => {
    using temp = makeTempDir();
    plant(temp.path, "1.16.1");
    expect(await judgeJailer(question(temp.path, { asRoot: false }))).toEqual({
      kind: "unusable",
      reason: "only root can start it",
    });
  });

  it("is not used where it is missing, of another version, or cannot start Firecracker", async () => {
    using temp = makeTempDir();
    const judge = async (): Promise<string> =>
      JSON.stringify(await judgeJailer(question(temp.path)));
    expect(await judge()).toContain("it is not on the PATH");
    plant(temp.path, "1.15.1");
    expect(await judge()).toContain("jailer 1.15.1 is not of Firecracker 1.16.1");
    plant(temp.path, "1.16.1");
    expect(await judge()).toContain("is linked to libraries");
  });

  it.runIf(isRoot)("is not used where others could change it; set up, it is", async () => {
    using temp = makeTempDir();
    const [from, to] = [join(temp.path, "from"), join(temp.path, "to")];
    plant(from, "1.16.1");
    const versions = {
      get: () => Promise.resolve("1.16.1"),
      set: () => Promise.resolve(),
    };
    const elf = Buffer.alloc(64 + 56);
    elf.write("\x7fELF", "latin1");
    elf.writeBigUInt64LE(64n, 32);
    elf.writeUInt16LE(1, 56);
    elf.writeUInt32LE(1, 64);
    writeFileSync(join(from, "firecracker"), elf);
    chmodSync(from, 0o777);
    expect(await judgeJailer(question(from, { versions }))).toEqual({
      kind: "unusable",
      reason: `${from} can be changed by others`,
    });
    mkdirSync(to);
    for (const name of ["firecracker", "jailer"]) copyFileSync(join(from, name), join(to, name));
    for (const name of ["firecracker", "jailer"]) chmodSync(join(to, name), 0o755);
    expect(await judgeJailer(question(to, { versions }))).toEqual({
      kind: "usable",
      path: join(to, "jailer"),
    });
  });

  it("is copied as it was planned, and not where the two do not go together", async () => {
    using temp = makeTempDir();
    const [from, to] = [join(temp.path, "from"), join(temp.path, "to")];
    await expect(planJailer(from, to)).rejects.toMatchObject({ code: "TOOL_MISSING" });
    plant(from, "1.16.1");
    await expect(planJailer(from, to)).rejects.toMatchObject({
      message: expect.stringContaining("linked to libraries") as unknown,
    });
    const copies = [{ from: join(from, "jailer"), to: join(to, "jailer") }];
    await carryOutJailer({ version: "1.16.1", copies }, process.getuid?.());
    expect(statSync(join(to, "jailer")).mode & 0o777).toBe(0o755);
  });
});
