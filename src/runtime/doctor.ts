/** What this host can do, found out afresh: every probe with what it found and the exact fix. */
import { readFile } from "node:fs/promises";
import { arch, release, totalmem } from "node:os";
import { isLuminaGuardError, messageOf } from "../errors.ts";
import type { Image } from "../image/image-store.ts";
import type { ConfinementReport } from "../vm/walls/confinement-probe.ts";
import type { CanaryResult } from "../vm/choice/canary.ts";
import type { LuminaGuard, SpawnOptions } from "./luminaguard.ts";

export interface Finding {
  readonly name: string;
  /** indented below the one before it */
  readonly isPart: boolean;
  readonly what: string;
  readonly verdict:
    "ok" | "chosen" | "not usable" | "not needed" | "low" | "missing" | "off" | "open";
  readonly detail: string;
  readonly fix: string | undefined;
}

export interface Diagnosis {
  readonly canRun: boolean;
  readonly findings: readonly Finding[];
}

/** open files below which many machines at once run out of them */
const openFilesWanted = 8192;
const megabyte = 1e6;

export async function diagnose(
  lumina: LuminaGuard,
  options: Pick<SpawnOptions, "signal" | "onPhase"> = {},
): Promise<Diagnosis> {
  const image = await findImage(lumina, options);
  const machines = image.image && (await findMachines(lumina, image.image, options.signal));
  const confinement = await lumina.host.confinement();
  const canRun = machines?.canRun === true;
  return {
    canRun,
    findings: [
      finding("host", `${process.platform} ${release()} ${arch()}`, "ok", { detail: memoryOf() }),
      ...(machines?.findings ?? []),
      describeWalls(confinement),
      describeGroups(confinement),
      describeCards(lumina),
      image.finding,
      ...(await findTemplates(lumina)),
      ...(await findOpenFiles()),
    ],
  };
}

function memoryOf(): string {
  return `${Math.round(totalmem() / 1024 ** 3)} GiB of memory`;
}

interface Facts {
  readonly detail?: string;
  readonly fix?: string | undefined;
  readonly isPart?: boolean;
}

function finding(
  name: string,
  what: string,
  verdict: Finding["verdict"],
  { detail = "", fix, isPart = false }: Facts = {},
): Finding {
  return { name, what, verdict, detail, fix, isPart };
}

async function findImage(
  lumina: LuminaGuard,
  options: Pick<SpawnOptions, "signal" | "onPhase">,
): Promise<{ readonly image: Image | undefined; readonly finding: Finding }> {
  try {
    const image = await lumina.host.openImage("base", options);
    const what = `base ${image.manifest.kernelRelease}`;
    const detail = image.digest.slice(0, 19);
    return { image, finding: finding("image", what, "ok", { detail }) };
  } catch (error) {
    return {
      image: undefined,
      finding: finding("image", messageOf(error), "missing", { fix: hintOf(error) }),
    };
  }
}

async function findMachines(
  lumina: LuminaGuard,
  image: Image,
  signal?: AbortSignal,
): Promise<{ readonly canRun: boolean; readonly findings: readonly Finding[] }> {
  try {
    const { hypervisor, version, canaries } = await lumina.host.select(image, { signal }, true);
    const chosen = finding("hypervisor", `${hypervisor.name} ${version}`, "ok");
    return { canRun: true, findings: [chosen, ...canaries.map(describeCanary)] };
  } catch (error) {
    signal?.throwIfAborted();
    const canaries = isLuminaGuardError(error) ? error.details["canaries"] : undefined;
    const tried = Array.isArray(canaries) ? (canaries as CanaryResult[]).map(describeCanary) : [];
    const missing = finding("hypervisor", messageOf(error), "missing", { fix: hintOf(error) });
    return { canRun: false, findings: [missing, ...tried] };
  }
}

function describeCanary(canary: CanaryResult): Finding {
  const { backend, accelerator, tried, booted, reason, durationMs } = canary;
  const name = `${backend}/${accelerator}`;
  const took = `${(durationMs / 1000).toFixed(1)} s`;
  if (!tried) {
    // what only lacks a better one's failure needs no fix
    const verdict = canary.fix === undefined ? "not needed" : "not usable";
    return finding(name, reason, verdict, { fix: canary.fix, isPart: true });
  }
  if (!booted) {
    const fix = `canary gave up after ${took}; see docs/platforms.md#${accelerator}`;
    const detail = [reason, canary.note].filter((part) => part !== undefined).join("; ");
    return finding(name, "boots no machine", "not usable", { detail, fix, isPart: true });
  }
  const detail =
    accelerator === "tcg"
      ? "emulation: slower code; QEMU promises no isolation here, the walls below are what stands"
      : (canary.note ?? "");
  return finding(name, `canary booted in ${took}`, "chosen", { detail, isPart: true });
}

function describeWalls({ asRoot, namespaces, reason, platform }: ConfinementReport): Finding {
  if (platform === "win32") {
    return finding("walls", "your user; ended with its parent by a job object", "low", {
      detail: `${reason ?? ""}: hardware virtualization is the wall, and emulation has none`,
      fix: "where that is not enough run in WSL2: docs/platforms.md#wsl2",
    });
  }
  if (platform === "darwin") {
    return finding("walls", "your user; ended with its parent by a process between", "low", {
      detail: `${reason ?? ""}: the hypervisor is the wall, and emulation has none`,
      fix: "what stands there: SECURITY.md",
    });
  }
  if (namespaces) {
    const who = asRoot ? "a user id for each machine" : "your user";
    return finding("walls", `namespaces, seccomp, limits, ${who}`, "ok");
  }
  return finding("walls", asRoot ? "none: root is refused" : "seccomp and limits only", "low", {
    detail: reason ?? "",
    fix: "sudo apt-get install bubblewrap; on Ubuntu 24.04 see docs/platforms.md#namespaces",
  });
}

function describeGroups({ groups, platform }: ConfinementReport): Finding {
  if (platform !== "linux") {
    const detail =
      "what a machine itself has is bounded, what its hypervisor takes beside it is not";
    return finding("bounds", "memory and processors of the machine", "low", { detail });
  }
  if (groups.kind === "ready") {
    const controllers = groups.parents.flatMap((parent) => parent.controllers);
    return finding("bounds", `${controllers.join(", ")} by control groups`, "ok");
  }
  const { reason, fix } = groups;
  return finding("bounds", "address space and open files only", "low", { detail: reason, fix });
}

/** A machine with a network card is the exception, and shown until it is gone. */
function describeCards(lumina: LuminaGuard): Finding {
  const open = lumina.machines.list().filter(({ hasNetwork }) => hasNetwork);
  if (open.length === 0) return finding("network", "no machine has a network card", "ok");
  const ids = open.map(({ id }) => id);
  return finding("network", `a network card: ${ids.join(", ")}`, "open", {
    detail: "what is in such a machine can be sent anywhere",
    fix: `luminaguard rm ${ids.join(" ")}`,
  });
}

async function findTemplates(lumina: LuminaGuard): Promise<readonly Finding[]> {
  const templates = (await lumina.cache.list()).filter(({ kind }) => kind === "template");
  if (templates.length === 0) {
    return [
      finding("templates", "none yet", "ok", { detail: "the first run of an image makes one" }),
    ];
  }
  const bytes = templates.reduce((sum, item) => sum + item.bytes, 0);
  return [
    finding("templates", String(templates.length), "ok", {
      detail: `${Math.round(bytes / megabyte)} MB`,
    }),
  ];
}

async function findOpenFiles(): Promise<readonly Finding[]> {
  if (process.platform !== "linux") return [];
  const text = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const limit = Number(/^Max open files\s+(\d+)/m.exec(text)?.[1] ?? openFilesWanted);
  if (limit >= openFilesWanted) return [finding("limits", `open files ${limit}`, "ok")];
  const fix = `for more than 60 machines at once: ulimit -n ${openFilesWanted}`;
  return [finding("limits", `open files ${limit}`, "low", { fix })];
}

function hintOf(error: unknown): string | undefined {
  return isLuminaGuardError(error) ? error.hint : undefined;
}
