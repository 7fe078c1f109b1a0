/**
 * A folder on its way into a machine and out again. Loaded only when there is a folder. The difference is
 * made after the machine is gone, from what was stored.
 */
import { Readable } from "node:stream";
import type { ChangeStore } from "../workspace/change-store.ts";
import type { LeftOutGroup } from "../workspace/left-out.ts";
import { packWorkspace } from "../workspace/pack.ts";
import type { WorkspacePack } from "../workspace/pack.ts";
import { receiveChanges } from "../workspace/receive.ts";
import type { ReceivedChanges } from "../workspace/receive.ts";
import { scanWorkspace } from "../workspace/scan.ts";
import type { Scan } from "../workspace/scan.ts";
import type { Machine } from "./machine.ts";

export interface WorkspaceFacts {
  readonly files: number;
  readonly bytes: number;
  readonly leftOut: readonly LeftOutGroup[];
}

/** where the folder is in the machine */
const guestFolder = "/workspace";

export class WorkspaceExchange {
  readonly #scan: Scan;
  readonly #pack: WorkspacePack;

  private constructor(scan: Scan, signal?: AbortSignal) {
    this.#scan = scan;
    this.#pack = packWorkspace(scan, { signal });
  }

  /** Raises WORKSPACE_TOO_LARGE. */
  static async prepare(
    { root, include }: { readonly root: string; readonly include: readonly string[] },
    signal?: AbortSignal,
  ): Promise<WorkspaceExchange> {
    return new WorkspaceExchange(await scanWorkspace(root, { include, signal }), signal);
  }

  async send(machine: Machine, signal?: AbortSignal): Promise<WorkspaceFacts> {
    const tar = Readable.from(this.#pack.chunks, { objectMode: false });
    await machine.files.unpack(guestFolder, tar, { signal });
    const { files, bytes, leftOut } = this.#scan;
    return { files, bytes, leftOut: [...leftOut, ...this.#pack.lost()] };
  }

  /** Takes the folder out, destroys the machine, and keeps what changed. Raises CHANGES_HOSTILE or WIRE_LIMIT. */
  async receive(
    machine: Machine,
    { store, command }: { readonly store: ChangeStore; readonly command: string },
    signal?: AbortSignal,
  ): Promise<ReceivedChanges> {
    await machine.quiesce({ signal });
    return receiveChanges(takeOut(machine, signal), {
      baseline: this.#pack.baseline,
      store,
      command,
      hadNetwork: machine.facts.nic !== "none",
      isIgnored: this.#scan.isIgnored,
      signal,
    });
  }
}

async function* takeOut(machine: Machine, signal?: AbortSignal): AsyncGenerator<Buffer> {
  yield* machine.files.pack(guestFolder, { signal });
  await machine.stop();
}
