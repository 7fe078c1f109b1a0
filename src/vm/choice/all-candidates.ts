/** Every way to run machines, on this platform and on all of them. The only file that names backends. */
import { offerFirecracker } from "../backends/firecracker/firecracker-candidates.ts";
import { offerQemu } from "../backends/qemu/qemu-candidates.ts";
import { offerVfkit } from "../backends/vfkit/vfkit-candidates.ts";
import type { Candidate, CandidateHost } from "./candidate.ts";
import type { Lane } from "./lane.ts";

/** What each backend offers on this host, best first. Nothing is started. */
export function listCandidates(host: CandidateHost): readonly Candidate[] {
  return [...offerFirecracker(host), ...offerVfkit(host), ...offerQemu(host)];
}

/** A host as far as it matters to what can be said without looking for anything. */
export type PlainHost = Pick<CandidateHost, "platform" | "architecture">;

const platforms: readonly PlainHost[] = [
  { platform: "linux", architecture: "x64" },
  { platform: "linux", architecture: "arm64" },
  { platform: "darwin", architecture: "arm64" },
  { platform: "darwin", architecture: "x64" },
  { platform: "win32", architecture: "x64" },
];

/** Every platform's lanes, best first. */
export function listLanes(toHost: (host: PlainHost) => CandidateHost): readonly Lane[] {
  return platforms.flatMap((host) =>
    listCandidates(toHost(host)).map(({ backend, accelerator, can, proof }) => {
      return { ...host, backend, accelerator, can, proof };
    }),
  );
}
