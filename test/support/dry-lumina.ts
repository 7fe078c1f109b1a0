/** A LuminaGuard whose machines are fakes, with folders of its own: nothing of the host is used. */
import { join } from "node:path";
import type { Config } from "../../src/config/config.ts";
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";
import type { LuminaGuard } from "../../src/runtime/luminaguard.ts";
import { makeTempDir } from "./make-tree.ts";

export interface DryLumina extends AsyncDisposable {
  readonly lumina: LuminaGuard;
  readonly folder: string;
}

export async function createDryLumina(config: Partial<Config> = {}): Promise<DryLumina> {
  const temp = makeTempDir();
  const lumina = await createLuminaGuard({
    dryRun: true,
    config: {
      cacheDir: join(temp.path, "cache"),
      stateDir: join(temp.path, "state"),
      configDir: join(temp.path, "config"),
      runtimeDir: join(temp.path, "run"),
      homeDir: join(temp.path, "home"),
      ...config,
    },
  });
  return {
    lumina,
    folder: temp.path,
    [Symbol.asyncDispose]: async () => {
      await lumina[Symbol.asyncDispose]();
      temp[Symbol.dispose]();
    },
  };
}
