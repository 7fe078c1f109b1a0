/** What is kept on disk so that the next start is quick: images and what they are made of, and templates. */
import { basename, join } from "node:path";
import type { CacheItem } from "../image/image-cache.ts";
import type { ImageStore } from "../image/image-store.ts";
import { TemplateStore } from "../vm/templates/template-store.ts";

/** Something in the cache folder that takes room. */
export interface CachedItem extends Omit<CacheItem, "kind"> {
  readonly kind: CacheItem["kind"] | "template";
}

export class CacheDesk {
  readonly #images: ImageStore;
  readonly #templates: TemplateStore;

  constructor(cacheDir: string, images: ImageStore) {
    this.#images = images;
    this.#templates = new TemplateStore(join(cacheDir, "templates"));
  }

  /** Removes what a killed process left of a template it was making. */
  clear(): Promise<void> {
    return this.#templates.clear();
  }

  async list(): Promise<readonly CachedItem[]> {
    const templates = await this.#templates.list();
    const items = templates.map(({ path, bytes, usedAtMs }): CachedItem => {
      return { kind: "template", path, bytes, usedAtMs, names: [] };
    });
    return [...(await this.#images.cache()), ...items];
  }

  /** Brings the cache down to a size. Templates go first: each is made again in seconds. */
  async prune(
    bytesMax: number,
  ): Promise<{ readonly removed: readonly CachedItem[]; readonly bytes: number }> {
    const items = await this.list();
    const removed: CachedItem[] = [];
    let bytes = items.reduce((sum, item) => sum + item.bytes, 0);
    for (const item of items.filter(({ kind }) => kind === "template")) {
      if (bytes <= bytesMax) return { removed, bytes };
      await this.#templates.drop(basename(item.path));
      removed.push(item);
      bytes -= item.bytes;
    }
    const images = await this.#images.prune({ bytesMax });
    return { removed: [...removed, ...images.removed], bytes: images.bytes };
  }
}
