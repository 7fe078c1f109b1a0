/** Apple's Virtualization.framework as one way to run machines on a Mac, where vfkit is installed. */
import { cpus, totalmem } from "node:os";
import type { Candidate, CandidateHost } from "../../choice/candidate.ts";
import type { Proof } from "../../choice/lane.ts";
import { findVfkit } from "./vfkit-binary.ts";
import { VfkitHypervisor } from "./vfkit.ts";

/** longest a canary may take, in `ms`: with hardware a boot takes well under 1 s */
const canaryTimeoutMs = 10_000;

const proof: Proof = {
  kind: "vendor",
  what: "arguments and requests read by vfkit's own packages, life cycle with a stand-in and a real guest; never run on a Mac",
  tests: ["e2e/vfkit-parser.test.ts", "e2e/vfkit-conformance.test.ts"],
};

export function offerVfkit(host: CandidateHost): readonly Candidate[] {
  if (host.platform !== "darwin") return [];
  const { runtimeDir, searchPath } = host;
  const limits = {
    processors: cpus().length,
    memoryBytes: totalmem(),
    architecture: process.arch,
  };
  return [
    {
      backend: "vfkit",
      accelerator: "vz",
      can: { templates: false, snapshots: false, networkCard: false },
      proof,
      canaryTimeoutMs,
      countsTicks: false,
      find: async (signal) => {
        const { version, fingerprint } = await findVfkit(searchPath, signal);
        return {
          version,
          fingerprint,
          make: () => new VfkitHypervisor({ runtimeDir, searchPath, host: limits }),
        };
      },
    },
  ];
}
