/** Every way to run machines, on every platform: what it can do and how far that was proven. */
import type { Config } from "../config/config.ts";
import { listLanes } from "../vm/choice/all-candidates.ts";
import type { Lane, ProofKind } from "../vm/choice/lane.ts";
import type { VerdictCache } from "../vm/choice/verdict-cache.ts";

export type { Lane } from "../vm/choice/lane.ts";

/** Nothing is looked for and nothing started. */
export function listPlatforms(
  { cacheDir, runtimeDir, searchPath }: Config,
  cache: VerdictCache,
): readonly Lane[] {
  const tools = { asRoot: false, namespaces: false, groupParents: [] };
  return listLanes((host) => ({ ...host, ...{ cacheDir, runtimeDir, searchPath, tools, cache } }));
}

const platformNames: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  linux: "Linux",
  darwin: "macOS",
  win32: "Windows",
};

const proofNames: Readonly<Record<ProofKind, string>> = {
  ci: "run in CI",
  vendor: "against the vendor's own parser or specification",
  contract: "by contract only",
};

/** A lane in words. */
export interface LaneWords {
  /** platform and architecture */
  readonly host: string;
  /** backend and accelerator */
  readonly way: string;
  /** what its machines can do beside run; `-` for nothing */
  readonly can: string;
  readonly proven: string;
}

export function describeLane(lane: Lane): LaneWords {
  const { platform, architecture, backend, accelerator, can, proof } = lane;
  const words = [
    can.templates ? "templates" : "",
    can.snapshots ? "snapshots" : "",
    can.networkCard ? "network card" : "",
  ].filter((word) => word !== "");
  return {
    host: `${platformNames[platform] ?? platform} ${architecture}`,
    way: `${backend}/${accelerator}`,
    can: words.join(", ") || "-",
    proven: `${proofNames[proof.kind]}: ${proof.what}`,
  };
}
