/** The entries of a scan as they are found, within the bounds of a workspace. */
import { LuminaGuardError } from "../errors.ts";
import { renderBytes } from "./left-out.ts";
import type { WorkspaceEntry } from "./workspace-entry.ts";

export interface EntryBounds {
  /** most files, folders and links */
  readonly entriesMax: number;
  /** most content in `bytes` */
  readonly bytesMax: number;
}

export class EntryList {
  readonly entries: WorkspaceEntry[] = [];
  readonly #root: string;
  readonly #bounds: EntryBounds;
  files = 0;
  bytes = 0;

  constructor(root: string, bounds: EntryBounds) {
    this.#root = root;
    this.#bounds = bounds;
  }

  add(entry: WorkspaceEntry): void {
    const { entriesMax, bytesMax } = this.#bounds;
    this.entries.push(entry);
    if (entry.kind === "file") {
      this.files += 1;
      this.bytes += entry.size;
    }
    if (this.entries.length > entriesMax) throw this.#tooLarge(`${entriesMax} entries`);
    if (this.bytes > bytesMax) throw this.#tooLarge(renderBytes(bytesMax));
  }

  #tooLarge(bound: string): LuminaGuardError {
    return new LuminaGuardError("WORKSPACE_TOO_LARGE", `${this.#root} holds more than ${bound}`, {
      hint: "leave folders out by a line in .luminaguardignore, or run in a smaller folder",
      details: { root: this.#root, bound },
    });
  }
}
