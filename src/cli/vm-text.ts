/** Machines that outlive a command, as JSON and as lines. */
import { escapeText } from "../base/escape-text.ts";
import { renderBytes } from "../runtime/values.ts";
import type { Kept, KeptEvent, Snapshot, Started, TreeNode } from "../runtime/values.ts";

export function keptJson({
  record,
  run,
  state,
  reason,
  doubt,
}: Kept): Readonly<Record<string, unknown>> {
  const { id, name, image, memoryMib, vcpus, workspace, checkpoint, parent, createdAt } = record;
  return {
    ...{ id, name, state, reason, doubt },
    ...{ machine: state === "running" ? (run?.machine ?? null) : null },
    ...{ supervisorPid: state === "running" ? (run?.supervisor.pid ?? null) : null },
    ...{
      image,
      memoryMib,
      vcpus,
      workspace: workspace?.root ?? null,
      checkpoint,
      parent,
      createdAt,
    },
  };
}

/** One line, of at most `columns` where that is given. */
export function renderKept(
  { record, run, state, reason, doubt }: Kept,
  columns: number = Infinity,
): string {
  const machine = state === "running" ? (run?.machine ?? "") : "";
  const when = record.createdAt.slice(0, 16).replace("T", " ");
  const what = `${record.image} · ${record.memoryMib} MiB`;
  const why = state === "failed" && reason !== null ? `  ${escapeText(reason)}` : "";
  const how = doubt === null ? state : "in doubt";
  const cells = [record.name.padEnd(16), record.id, how.padEnd(8), machine.padEnd(8), when, what];
  const line = `${cells.join("  ")}${doubt === null ? why : `  ${escapeText(doubt.why)}`}`;
  return line.length > columns ? `${line.slice(0, columns - 1)}…` : line;
}

export function renderStarted({ how, ms, backend, machine }: Started): string {
  const done = { cold: "booted", clone: "cloned", restored: "restored" }[how];
  return `${machine} · ${done} in ${(ms / 1000).toFixed(2)} s · ${backend} · no network`;
}

/** @param facts hostile text may be among them */
export function renderEvent({ at, what, facts }: KeptEvent): string {
  const told = Object.entries(facts).flatMap(([name, value]) => {
    return value === null ? [] : [`${name} ${escapeText(renderFact(value))}`];
  });
  const when = at.slice(0, 19).replace("T", " ");
  return `${when}  ${what.padEnd(8)}  ${told.join(", ")}`.trimEnd();
}

function renderFact(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function snapshotJson({ id, manifest, bytes }: Snapshot): Readonly<Record<string, unknown>> {
  const { name, kind, machine, parent, createdAt, memoryMib, key, seal } = manifest;
  const encrypted = seal !== null;
  return { id, encrypted, name, kind, machine, parent, createdAt, bytes, memoryMib, key };
}

export function renderSnapshot({ id, manifest, bytes }: Snapshot): string {
  const { name, kind, machine, createdAt } = manifest;
  const when = createdAt.slice(0, 16).replace("T", " ");
  const cells = [id.slice(0, 12), (name ?? "").padEnd(16), kind.padEnd(10), when];
  return `${cells.join("  ")}  ${renderBytes(bytes).padStart(7)}  of ${machine.name}`;
}

export function renderTree(nodes: readonly TreeNode[], indent: string = ""): readonly string[] {
  return nodes.flatMap((node, at) => {
    const isLast = at === nodes.length - 1;
    const children = renderTree(node.children, `${indent}${isLast ? "   " : "│  "}`);
    return [`${indent}${isLast ? "└─ " : "├─ "}${renderNode(node)}`, ...children];
  });
}

function renderNode({ kind, id, name, note }: TreeNode): string {
  if (kind === "machine") return `machine ${name ?? id} (${note})`;
  const called = name === null ? "" : ` ${name}`;
  return `snapshot ${id.slice(0, 12)}${called} of ${note}`;
}
