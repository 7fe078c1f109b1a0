import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LuminaGuardError } from "../../../src/errors.ts";
import { diagnose } from "../../../src/runtime/doctor.ts";
import type { Diagnosis } from "../../../src/runtime/doctor.ts";
import type { HostGround } from "../../../src/runtime/ground.ts";
import type { LuminaGuard } from "../../../src/runtime/luminaguard.ts";
import type { Image } from "../../../src/image/image-store.ts";
import { createDryLumina } from "../../support/dry-lumina.ts";
import { plantQemu, sayVersion } from "../../support/fake-qemu.ts";
import { makeTempDir } from "../../support/make-tree.ts";
import { makeImage } from "../image/make-image.ts";

type Host = Pick<HostGround, "openImage" | "select" | "confinement">;

/** This host, where its base image comes from somewhere else. */
function withImage(lumina: LuminaGuard, openImage: () => Promise<Image>): LuminaGuard {
  const { cache, host, machines } = lumina;
  const other: Host = {
    openImage,
    select: (...args) => host.select(...args),
    confinement: () => host.confinement(),
  };
  return { cache, machines, host: other } as unknown as LuminaGuard;
}

/** A host with an image and what the script makes of QEMU. */
async function diagnoseWith(plant: (folder: string) => void): Promise<Diagnosis> {
  using tools = makeTempDir();
  await using dry = await createDryLumina({ searchPath: tools.path });
  await makeImage(join(dry.folder, "cache"), "base");
  plant(tools.path);
  return await diagnose(withImage(dry.lumina, () => dry.lumina.images.open("base")));
}

describe("the doctor", () => {
  it("of a host without QEMU says what to install, and that machines cannot run", async () => {
    const { canRun, findings } = await diagnoseWith(() => undefined);
    expect(canRun).toBe(false);
    expect(findings.find(({ name }) => name === "hypervisor")).toMatchObject({
      verdict: "missing",
      fix: expect.stringContaining("apt-get install") as unknown,
    });
    const parts = findings.filter(({ isPart }) => isPart);
    for (const part of parts) expect(part).toMatchObject({ verdict: "not usable" });
    expect(findings.filter(({ isPart }) => !isPart).map(({ name }) => name)).toEqual([
      ...["host", "hypervisor", "walls", "bounds", "network", "image", "templates", "limits"],
    ]);
  });

  it("of a host with an old QEMU says so", async () => {
    const { canRun, findings } = await diagnoseWith((folder) => {
      plantQemu(folder, sayVersion("5.2.0"));
      plantQemu(folder, sayVersion("5.2.0"), "qemu-system-aarch64");
    });
    expect(canRun).toBe(false);
    const { what } = findings.find(({ name }) => name === "hypervisor") ?? {};
    // where walls cannot be built, root is told of that first
    expect(what).toMatch(/^QEMU 5\.2\.0 is too old; 7\.2\.0 is needed$|^root may not run/);
  });

  it("of a host without an image says how to get one", async () => {
    await using dry = await createDryLumina();
    const missing = new LuminaGuardError("IMAGE_BUILD_FAILED", "no network", { hint: "connect" });
    const lumina = withImage(dry.lumina, () => Promise.reject(missing));
    const { canRun, findings } = await diagnose(lumina);
    expect(canRun).toBe(false);
    expect(findings.find(({ name }) => name === "image")).toMatchObject({
      what: "no network",
      verdict: "missing",
      fix: "connect",
    });
  });
});
