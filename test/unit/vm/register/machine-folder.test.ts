import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { identifyProcess, identifySelf } from "../../../../src/process/process-identity.ts";
import type { ProcessIdentity } from "../../../../src/process/process-identity.ts";
import { createMachineFolder, reapMachines } from "../../../../src/vm/register/machine-folder.ts";
import { makeTempDir } from "../../../support/make-tree.ts";

const asRoot = process.getuid?.() === 0;
const gone: ProcessIdentity = { pid: 2 ** 22 - 1, startTicks: 1 };

describe("a machine's folder", () => {
  it("is private, and its record says whose it is", async () => {
    using temp = makeTempDir();
    const runtimeDir = join(temp.path, "run");
    const folder = await createMachineFolder(runtimeDir, false);
    expect(folder.id).toMatch(/^vm-[0-9a-f]{5}$/);
    expect(folder.uid).toBeUndefined();
    expect((statSync(folder.path).mode & 0o777).toString(8)).toBe("700");
    const record: unknown = JSON.parse(readFileSync(`${folder.path}.json`, "utf8"));
    const since = expect.any(String) as unknown;
    expect(record).toEqual({ host: identifySelf(), since, hasNetwork: false, groups: [] });
  });

  it("is gone with its record when it is removed, however often", async () => {
    using temp = makeTempDir();
    const folder = await createMachineFolder(temp.path, false);
    await folder.recordProcess(gone);
    expect(readdirSync(temp.path)).toEqual([folder.id, `${folder.id}.json`]);
    await folder.remove();
    await folder.remove();
    expect(readdirSync(temp.path)).toEqual([]);
  });

  it("is nobody else's, however many are made at once", async () => {
    using temp = makeTempDir();
    const folders = await Promise.all(
      Array.from({ length: 60 }, () => createMachineFolder(temp.path, false)),
    );
    expect(new Set(folders.map(({ id }) => id)).size).toBe(60);
  });

  it.runIf(asRoot)("belongs to a user of the machine's own when root makes it", async () => {
    using temp = makeTempDir();
    const folder = await createMachineFolder(temp.path, true);
    expect(folder.uid).toBe(1_879_048_192 + Number.parseInt(folder.id.slice(3), 16));
    expect(statSync(folder.path).uid).toBe(folder.uid);
  });

  it("is refused where its socket's path would be too long", async () => {
    using temp = makeTempDir();
    const long = join(temp.path, "x".repeat(90));
    await expect(createMachineFolder(long, false)).rejects.toMatchObject({
      code: "HOST_LIMIT",
      hint: expect.stringContaining("LUMINAGUARD_RUNTIME_DIR") as unknown,
    });
    expect(existsSync(long)).toBe(false);
  });

  it.each<readonly [string, (path: string) => void]>([
    [
      "others may enter",
      (path) => {
        mkdirSync(path);
        chmodSync(path, 0o755);
      },
    ],
    ["is a link", (path) => symlinkSync("/tmp", path)],
    ["is a file", (path) => writeFileSync(path, "")],
    ["has a file for a parent", (path) => writeFileSync(join(path, ".."), "")],
  ])("is refused in a runtime folder that %s", async (_what, make) => {
    using temp = makeTempDir();
    const runtimeDir = join(temp.path, "a", "run");
    if (_what !== "has a file for a parent") mkdirSync(join(temp.path, "a"));
    make(runtimeDir);
    await expect(createMachineFolder(runtimeDir, false)).rejects.toMatchObject({
      code: "HOST_LIMIT",
    });
  });
});

/** A machine of a host process, as it is on disk. */
function plant(runtimeDir: string, id: string, record: unknown): void {
  mkdirSync(join(runtimeDir, id));
  writeFileSync(join(runtimeDir, id, "wire.sock"), "");
  if (record !== undefined) writeFileSync(join(runtimeDir, `${id}.json`), JSON.stringify(record));
}

async function startSleeper(): Promise<{ identity: ProcessIdentity; ended: Promise<unknown> }> {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  await once(child, "spawn");
  const identity = await identifyProcess(child.pid ?? 0);
  if (identity === undefined) throw new Error("it was started");
  return { identity, ended: once(child, "exit") };
}

describe("reaping", () => {
  it("removes the folder of a machine whose host is dead, and ends its hypervisor", async () => {
    using temp = makeTempDir();
    const { identity, ended } = await startSleeper();
    plant(temp.path, "vm-00001", { host: gone, vmm: identity });
    expect(await reapMachines(temp.path)).toEqual(["vm-00001"]);
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect(readdirSync(temp.path)).toEqual([]);
  });

  it("leaves the machine of a living host alone", async () => {
    using temp = makeTempDir();
    const folder = await createMachineFolder(temp.path, false);
    expect(await reapMachines(temp.path)).toEqual([]);
    expect(existsSync(folder.path)).toBe(true);
  });

  it("does not kill a process that only has a dead hypervisor's number", async () => {
    using temp = makeTempDir();
    const { identity, ended } = await startSleeper();
    const recycled = { pid: identity.pid, startTicks: (identity.startTicks ?? 0) - 1 };
    plant(temp.path, "vm-00001", { host: gone, vmm: recycled });
    expect(await reapMachines(temp.path)).toEqual(["vm-00001"]);
    expect(await identifyProcess(identity.pid)).toEqual(identity);
    process.kill(identity.pid, "SIGKILL");
    await ended;
  });

  it("does not take a host for living that only has a dead one's number", async () => {
    using temp = makeTempDir();
    const recycled = { ...identifySelf(), startTicks: 1 };
    plant(temp.path, "vm-00001", { host: recycled });
    expect(await reapMachines(temp.path)).toEqual(["vm-00001"]);
  });

  it("waits with a folder that has no record yet", async () => {
    using temp = makeTempDir();
    plant(temp.path, "vm-00001", undefined);
    expect(await reapMachines(temp.path)).toEqual([]);
  });

  it("removes a record without a folder, and one that was cut short", async () => {
    using temp = makeTempDir();
    writeFileSync(join(temp.path, "vm-00001.json"), '{"host":');
    writeFileSync(join(temp.path, "vm-00002.json.new"), "");
    expect([...(await reapMachines(temp.path))].sort()).toEqual(["vm-00001", "vm-00002"]);
    expect(readdirSync(temp.path)).toEqual([]);
  });

  it("touches nothing that is not a machine's", async () => {
    using temp = makeTempDir();
    for (const name of ["vm-1", "vm-000001", "vm-0000g", "notes.json"]) {
      mkdirSync(join(temp.path, name));
      utimesSync(join(temp.path, name), 0, 0);
    }
    const before = readdirSync(temp.path);
    expect(await reapMachines(temp.path)).toEqual([]);
    expect(readdirSync(temp.path)).toEqual(before);
  });

  it("of a folder that is not there is nothing", async () => {
    expect(await reapMachines("/nowhere/at/all")).toEqual([]);
  });
});
