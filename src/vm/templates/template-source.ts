/** Templates as a hypervisor wants them: opened where there is one, and made once where there is none. */
import { statfs } from "node:fs/promises";
import { LuminaGuardError, isLuminaGuardError } from "../../errors.ts";
import type { Template, TemplateDraft, TemplateStore } from "./template-store.ts";

export interface TemplateWish {
  /** of everything that could change the template */
  readonly key: string;
  /** Boots a machine whose memory ends up in the draft's file, freezes and ends it; gives its device state. */
  readonly make: (draft: TemplateDraft) => Promise<Buffer>;
}

/** less room than this is none, in `bytes` */
const roomBytesMin = 1024 * 1024;

export class TemplateSource {
  readonly #store: TemplateStore;
  readonly #making = new Map<string, Promise<Template>>();

  constructor(store: TemplateStore) {
    this.#store = store;
  }

  /** Raises HOST_LIMIT where the disk is full, TEMPLATE_INVALID, or what making raises. */
  async get(wish: TemplateWish): Promise<Template> {
    const found = await this.#store.open(wish.key);
    if (found !== undefined) return found;
    // concurrent spawns of one image in this process wait for one freeze
    const making = this.#making.get(wish.key) ?? this.#make(wish);
    this.#making.set(wish.key, making);
    return making.finally(() => this.#making.delete(wish.key));
  }

  async #make({ key, make }: TemplateWish): Promise<Template> {
    const draft = await this.#store.draft(key);
    try {
      await draft.publish(await make(draft));
    } catch (error) {
      const wasFull = await isFull(draft.folder);
      await draft.discard();
      throw wasFull && isRoomError(error) ? noRoom(error) : error;
    }
    const made = await this.#store.open(key);
    if (made !== undefined) return made;
    throw new LuminaGuardError(
      "TEMPLATE_INVALID",
      "the new template changed while it was published",
      { hint: "is another program writing in the cache folder?" },
    );
  }
}

/** A machine whose memory file finds no room dies of it, and cannot say why; or is refused to be saved. */
function isRoomError(error: unknown): boolean {
  return (
    isLuminaGuardError(error, "VM_BOOT_FAILED") || isLuminaGuardError(error, "HYPERVISOR_REFUSED")
  );
}

async function isFull(folder: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < roomBytesMin;
}

function noRoom(cause: unknown): LuminaGuardError {
  return new LuminaGuardError("HOST_LIMIT", "the disk is full: there is no room for a template", {
    hint: "free some disk space, or make room with: luminaguard cache prune",
    cause,
  });
}
