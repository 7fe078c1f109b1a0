/**
 * Firecracker itself, where LUMINAGUARD_FIRECRACKER names its binary. What it is told is what the backend
 * says to it, so each call that it takes is proof of one, whether or not KVM runs machines here.
 */
import { chmod, mkdtemp, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";
import { startChild } from "../../src/process/child.ts";
import type { Child } from "../../src/process/child.ts";
import { FirecrackerApi } from "../../src/vm/backends/firecracker/api-client.ts";
import { listBoot, listFreeze, listObserving } from "../../src/vm/backends/firecracker/calls.ts";
import { listSave, listThaw, names } from "../../src/vm/backends/firecracker/calls.ts";
import type { ApiCall } from "../../src/vm/backends/firecracker/calls.ts";
import { findFirecracker } from "../../src/vm/backends/firecracker/firecracker-binary.ts";
import { capabilitiesOf } from "../../src/vm/backends/firecracker/versions.ts";
import { requireKvm } from "../../src/vm/kvm-device.ts";
import { KernelStore } from "../../src/vm/kernel/kernel-store.ts";
import { resolveVmSpec } from "../../src/vm/spec.ts";
import { listWrongCalls } from "../support/wrong-calls.ts";

const binary = process.env["LUMINAGUARD_FIRECRACKER"];
const reason = binary === undefined ? "LUMINAGUARD_FIRECRACKER names no binary" : undefined;
if (reason !== undefined) console.warn(`skipped: Firecracker itself, because ${reason}`);

interface Vmm {
  readonly api: FirecrackerApi;
  readonly child: Child;
}

describe.skipIf(reason !== undefined)("Firecracker itself", () => {
  let folder: string;
  let version: string;
  const started: Child[] = [];

  beforeAll(async () => {
    expect(basename(binary ?? "")).toBe("firecracker");
    folder = await mkdtemp(join(tmpdir(), "lg-fc-"));
    ({ version } = await findFirecracker(dirname(binary ?? "")));
    await using lumina = await createLuminaGuard();
    const image = await lumina.host.openImage("base");
    const kernel = await new KernelStore(join(folder, "kernels")).open(image.kernelPath);
    await symlink(kernel, join(folder, names.kernel));
    await symlink(image.initramfsPath, join(folder, names.initramfs));
    await writeFile(join(folder, names.layer), "");
    await truncate(join(folder, names.layer), 1024 ** 2);
    for (const name of [names.log, names.metrics]) await writeFile(join(folder, name), "");
  });
  afterAll(async () => {
    for (const child of started) {
      child.kill("SIGKILL");
      await child.exited;
    }
    await rm(folder, { recursive: true, force: true });
  });

  async function start(): Promise<Vmm> {
    const socket = join(folder, names.api);
    await Promise.all(
      [names.api, names.vsock].map((name) => rm(join(folder, name), { force: true })),
    );
    const args = ["--chdir", folder, binary ?? "", "--api-sock", names.api, "--id", "vm-00001"];
    const child = await startChild("env", args);
    started.push(child);
    const api = new FirecrackerApi(socket);
    expect(await api.ready(10_000)).toBe(version);
    return { api, child };
  }

  /** What became of each call, as "PUT /vsock 204" or with its complaint. */
  async function tellEach(api: FirecrackerApi, calls: readonly ApiCall[]): Promise<string[]> {
    const said: string[] = [];
    for (const call of calls) {
      const outcome = await api.tell([call], { timeoutMs: 60_000 }).then(
        () => "taken",
        (error: unknown) => String(error),
      );
      said.push(`${call.method} ${call.path} ${outcome}`);
    }
    console.log([`Firecracker ${version}:`, ...said].join("\n  "));
    return said;
  }

  const image = { digest: "", kernelPath: "", initramfsPath: "", layerPath: "layer" };
  const spec = resolveVmSpec({ image, memoryMib: 128, vcpus: 2 });
  const boot = [...listObserving(), ...listBoot({ spec, architecture: "x64" })];
  const configuring = boot.slice(0, -1);

  it("takes every call that configures a machine", async () => {
    const { api } = await start();
    const said = await tellEach(api, configuring);
    expect(said).toEqual(configuring.map(({ method, path }) => `${method} ${path} taken`));
  });

  it("refuses what the stand-in refuses: wrong order, unknown fields, wrong types", async () => {
    const { api } = await start();
    const judged = listWrongCalls(version);
    const calls = judged.map(({ call }) => call);
    const said = await tellEach(api, calls);
    const taken = said.map((each) => each.endsWith(" taken"));
    expect(taken, said.join("\n")).toEqual(judged.map(({ isTaken }) => isTaken));
  });

  it("starts, saves and loads a machine, where KVM lets it be made", async ({ skip }) => {
    await requireKvm().catch((error: unknown) => skip(String(error)));
    const { api, child } = await start();
    const said = await tellEach(api, boot);
    if (said.at(-1)?.includes("Kvm error") === true) skip(said.at(-1));
    expect(said.at(-1)).toBe("PUT /actions taken");
    const save = Object.values(listSave());
    const saved = ["PATCH /vm taken", "PUT /snapshot/create taken", "PATCH /vm taken"];
    expect(await tellEach(api, [...save, ...save])).toEqual([...saved, ...saved]);
    expect(await tellEach(api, listFreeze())).toEqual([
      "PATCH /vm taken",
      "PUT /snapshot/create taken",
    ]);
    child.kill("SIGKILL");
    await child.exited;
    await chmod(join(folder, names.memory), 0o400);
    const before = await readFile(join(folder, names.memory));
    const { api: other } = await start();
    expect(
      await tellEach(other, [...listObserving(), ...listThaw(capabilitiesOf(version))]),
    ).toEqual(["PUT /logger taken", "PUT /metrics taken", "PUT /snapshot/load taken"]);
    expect(await tellEach(other, save)).toEqual(saved);
    expect((await readFile(join(folder, names.memory))).equals(before)).toBe(true);
    const savedMemory = await stat(join(folder, names.savedMemory));
    expect(savedMemory.size).toBe(before.length);
    await truncate(join(folder, names.state), 1_000);
    const { api: third } = await start();
    const cut = listThaw(capabilitiesOf(version));
    expect(await tellEach(third, cut)).toEqual([
      expect.stringMatching(/refused PUT \/snapshot\/load: Load snapshot error/),
    ]);
  });
});
