/** Makes a LuminaGuard for this host from its configuration, and clears up after one that was killed. */
import { loadConfig } from "../config/config.ts";
import type { Config } from "../config/config.ts";
import { LuminaGuard } from "./luminaguard.ts";

export interface LuminaGuardOptions {
  /** settings that win over environment and file */
  readonly config?: Partial<Config>;
  /** machines are fakes: they know a few commands and run nothing
   * @default false */
  readonly dryRun?: boolean;
}

/** Raises CONFIG_INVALID. What an earlier process left behind is ended, removed, finished or undone. */
export async function createLuminaGuard(options: LuminaGuardOptions = {}): Promise<LuminaGuard> {
  const loaded = loadConfig();
  const config = Object.freeze({ ...loaded.config, ...options.config });
  const lumina = new LuminaGuard({ ...loaded, config, dryRun: options.dryRun === true });
  await Promise.all([lumina.reap(), lumina.changes.recover(), lumina.cache.clear()]);
  return lumina;
}
