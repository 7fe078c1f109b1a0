/** What Firecracker can run machines with on this host: KVM, or nothing. */
import { join } from "node:path";
import type { Candidate, CandidateHost, FoundCandidate } from "../../choice/candidate.ts";
import { KernelStore } from "../../kernel/kernel-store.ts";
import { judgeJailer } from "../../walls/jailer.ts";
import { requireKvm } from "../../kvm-device.ts";
import type { Proof } from "../../choice/lane.ts";
import { TemplateStore } from "../../templates/template-store.ts";
import { findFirecracker } from "./firecracker-binary.ts";
import { FirecrackerHypervisor } from "./firecracker.ts";

/** longest a canary may take, in `ms`: with hardware a boot takes well under 1 s */
const canaryTimeoutMs = 5_000;

const proof: Proof = {
  kind: "vendor",
  what: "each call checked by a stand-in of the public API, with a real guest behind it; no machine of ours has booted with it yet",
  tests: ["e2e/firecracker-conformance.test.ts"],
};

export function offerFirecracker(host: CandidateHost): readonly Candidate[] {
  if (host.platform !== "linux") return [];
  return [
    {
      backend: "firecracker",
      accelerator: "kvm",
      can: { templates: true, snapshots: true, networkCard: false },
      proof,
      canaryTimeoutMs,
      countsTicks: false,
      find: () => find(host),
    },
  ];
}

async function find(host: CandidateHost): Promise<FoundCandidate> {
  const { architecture, searchPath, runtimeDir, tools, cacheDir, cache } = host;
  const firecracker = await findFirecracker(searchPath, cache);
  await requireKvm();
  const { asRoot } = tools;
  const verdict = await judgeJailer({ asRoot, firecracker, searchPath, versions: cache });
  const { version, fingerprint } = firecracker;
  const jailer = verdict.kind === "usable" ? verdict.path : undefined;
  return {
    version,
    fingerprint: `${fingerprint} ${jailer ?? ""}`,
    note:
      verdict.kind === "usable"
        ? "in its jailer: chroot, user, namespaces and groups of each machine's own"
        : `in the walls below, not in its jailer: ${verdict.reason}`,
    make: ({ templates }) =>
      new FirecrackerHypervisor({
        ...{ architecture, runtimeDir, searchPath, tools, jailer, versions: cache },
        kernels: new KernelStore(join(cacheDir, "kernels")),
        templates: templates ? new TemplateStore(join(cacheDir, "templates")) : undefined,
      }),
  };
}
