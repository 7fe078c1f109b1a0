/** A LuminaGuard of a test's own: shared images and templates, its own runtime and state folders. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";
import type { LuminaGuard } from "../../src/runtime/luminaguard.ts";
import type { Config } from "../../src/config/config.ts";

export interface OwnLumina extends AsyncDisposable {
  readonly lumina: LuminaGuard;
  readonly folder: string;
}

export async function createOwnLumina(config: Partial<Config> = {}): Promise<OwnLumina> {
  const folder = await mkdtemp(join(tmpdir(), "lg-"));
  const lumina = await createLuminaGuard({
    config: {
      runtimeDir: join(folder, "run"),
      stateDir: join(folder, "state"),
      configDir: join(folder, "config"),
      ...config,
    },
  });
  return {
    lumina,
    folder,
    [Symbol.asyncDispose]: async () => {
      await lumina[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
