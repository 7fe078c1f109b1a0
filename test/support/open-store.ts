/** A store in a folder of its own, on memory where there is such a disk. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Store } from "../../src/store/store.ts";
import type { StoreOptions } from "../../src/store/store.ts";

export interface StateFolder extends Disposable {
  readonly path: string;
}

export function makeStateFolder(): StateFolder {
  const base = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const path = mkdtempSync(join(base, "lg-state-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface OwnStore extends AsyncDisposable {
  readonly store: Store;
  readonly stateDir: string;
}

export async function openOwnStore(options: Partial<StoreOptions> = {}): Promise<OwnStore> {
  const folder = makeStateFolder();
  const store = await Store.open({ stateDir: folder.path, ...options });
  return {
    store,
    stateDir: folder.path,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}
