/** The sockets of a supervisor, in the runtime folder: one to its machine, one for moves between hosts. */
import { rm } from "node:fs/promises";
import { join } from "node:path";

export function machineSocketPath(runtimeDir: string, id: string): string {
  return join(runtimeDir, `${id}.sock`);
}

export function moveSocketPath(runtimeDir: string, id: string): string {
  return join(runtimeDir, `${id}.move.sock`);
}

/** What a killed supervisor leaves. */
export async function removeSockets(runtimeDir: string, id: string): Promise<void> {
  await rm(machineSocketPath(runtimeDir, id), { force: true });
  await rm(moveSocketPath(runtimeDir, id), { force: true });
}
