/** What QEMU can run machines with on this host: the platform's accelerator, then emulation. */
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { LuminaGuardError } from "../../../errors.ts";
import type { Candidate, CandidateHost, FoundCandidate } from "../../choice/candidate.ts";
import { isBehindWalls } from "../../walls/confinement.ts";
import type { ConfinementTools } from "../../walls/confinement.ts";
import { requireKvm } from "../../kvm-device.ts";
import type { Capabilities } from "../../choice/lane.ts";
import { TemplateStore } from "../../templates/template-store.ts";
import type { Accelerator } from "./qemu-args.ts";
import { proofOf } from "./qemu-proofs.ts";
import { findQemu } from "./qemu-binary.ts";
import { QemuHypervisor } from "./qemu.ts";
import { requireWhpx } from "./whpx.ts";
import { WindowsQemu } from "./windows-qemu.ts";

/** longest a canary may take, in `ms`: with hardware a boot takes well under 1 s, emulated about 2 s */
const canaryTimeoutsMs: Readonly<Record<Accelerator, number>> = {
  kvm: 5_000,
  hvf: 5_000,
  whpx: 20_000,
  tcg: 60_000,
};

export function offerQemu(host: CandidateHost): readonly Candidate[] {
  return listAccelerators(host.platform).map((accelerator) => ({
    backend: "qemu",
    accelerator,
    can: capabilitiesOn(host.platform),
    proof: proofOf(host, accelerator),
    canaryTimeoutMs: canaryTimeoutsMs[accelerator],
    countsTicks: accelerator === "tcg",
    find: () => find(host, accelerator),
  }));
}

/** WHPX registers a blocker against saving a machine, and on Windows emulation is run the same way. */
function capabilitiesOn(platform: NodeJS.Platform): Capabilities {
  const saves = platform !== "win32";
  return { templates: saves, snapshots: saves, networkCard: true };
}

function listAccelerators(platform: NodeJS.Platform): readonly Accelerator[] {
  if (platform === "darwin") return ["hvf", "tcg"];
  return platform === "win32" ? ["whpx", "tcg"] : ["kvm", "tcg"];
}

async function find(host: CandidateHost, accelerator: Accelerator): Promise<FoundCandidate> {
  if (host.platform === "win32") return findOnWindows(host, accelerator);
  const { architecture, searchPath, runtimeDir, cacheDir, cache } = host;
  const tools = { ...host.tools, tethered: host.platform === "darwin" };
  const { path, version, fingerprint } = await findQemu(architecture, searchPath, cache);
  await requireVisible(path, tools);
  if (accelerator === "kvm") await requireKvm();
  const canFreeze = accelerator !== "whpx"; // it registers a blocker against saving a machine
  return {
    version,
    fingerprint,
    make: ({ templates, tscKhz }) => {
      const keeps = templates && canFreeze;
      return new QemuHypervisor({
        ...{ accelerator, architecture, runtimeDir, searchPath, tools, versions: cache, tscKhz },
        templates: keeps ? new TemplateStore(join(cacheDir, "templates")) : undefined,
      });
    },
  };
}

async function findOnWindows(
  { architecture, searchPath, runtimeDir, cache, platform }: CandidateHost,
  accelerator: Accelerator,
): Promise<FoundCandidate> {
  const binary = await findQemu(architecture, searchPath, cache, platform);
  if (accelerator === "whpx") await requireWhpx(binary, cache);
  const found = { accelerator, architecture, runtimeDir, find: () => Promise.resolve(binary) };
  const { version, fingerprint } = binary;
  return { version, fingerprint, make: ({ tscKhz }) => new WindowsQemu({ ...found, tscKhz }) };
}

/** Behind walls there are system folders only: nothing of a person's, and no program of theirs. */
async function requireVisible(path: string, { namespaces }: ConfinementTools): Promise<void> {
  if (!namespaces || isBehindWalls(await realpath(path))) return;
  throw new LuminaGuardError("TOOL_MISSING", `${path} cannot be started behind walls`, {
    hint: "put QEMU below /usr: Debian's packages do, and make install with --prefix=/usr/local",
  });
}
