/** Which walls can be built on this host: found by building them around a program that does nothing. */
import { release } from "node:os";
import { runProgram } from "../../process/run-program.ts";
import type { GroupPlan } from "./cgroup-plan.ts";
import { probeGroups } from "./cgroup-probe.ts";
import { confine } from "./confinement.ts";
import type { ConfinementTools } from "./confinement.ts";
import type { VerdictCache } from "../choice/verdict-cache.ts";

export interface ConfinementReport extends ConfinementTools {
  /** why there are no namespaces */
  readonly reason: string | undefined;
  /** where control groups are made, or why there are none */
  readonly groups: GroupPlan;
  readonly platform: NodeJS.Platform;
}

const unprivilegedUid = 1_879_048_191;

export async function probeConfinement(
  asRoot: boolean,
  cache: VerdictCache,
  platform: NodeJS.Platform = process.platform,
): Promise<ConfinementReport> {
  if (platform !== "linux") return { ...withoutWalls(platform), asRoot, platform };
  const groups = probeGroups(asRoot);
  const groupParents = groups.kind === "ready" ? groups.parents : [];
  return { asRoot, platform, groups, groupParents, ...(await probeNamespaces(asRoot, cache)) };
}

/** Namespaces and control groups are Linux's; what stands elsewhere is in SECURITY.md. */
function withoutWalls(
  platform: NodeJS.Platform,
): Pick<ConfinementReport, "namespaces" | "groupParents" | "reason" | "groups"> {
  const names: Partial<Record<NodeJS.Platform, string>> = { win32: "Windows", darwin: "macOS" };
  const reason = `${names[platform] ?? platform} has no namespaces`;
  const groups: GroupPlan = { kind: "unavailable", reason: "control groups are Linux's", fix: "" };
  return { namespaces: false, groupParents: [], reason, groups };
}

async function probeNamespaces(
  asRoot: boolean,
  cache: VerdictCache,
): Promise<Pick<ConfinementReport, "namespaces" | "reason">> {
  // another kernel may allow less: a machine that cannot be confined then fails to start, and says so
  const cacheKey = `confinement ${asRoot ? "root" : "user"} ${release()}`;
  const known = await cache.get(cacheKey);
  if (known === "namespaces") return { namespaces: true, reason: undefined };
  const [file, ...args] = confine(
    {
      command: ["/usr/bin/true"],
      readOnly: [],
      readWrite: [],
      devices: [],
      groups: [],
      network: false,
      uid: asRoot ? unprivilegedUid : undefined,
      addressSpaceBytesMax: 1024 ** 3,
      infoFd: 2,
    },
    { asRoot, namespaces: true },
  );
  try {
    await runProgram(file, args, { timeoutMs: 10_000 });
    await cache.set(cacheKey, "namespaces");
    return { namespaces: true, reason: undefined };
  } catch (error) {
    return { namespaces: false, reason: (error as Error).message };
  }
}
