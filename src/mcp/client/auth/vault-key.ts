/** The key that logins are sealed with. */
import type { Keychain } from "../../../process/keychain.ts";
import { findSealingKey, makeSealingKey } from "../../../process/sealing-key.ts";
import type { SealingKeyOptions } from "../../../process/sealing-key.ts";
import { unusable } from "./vault.ts";
import type { KeyPlace, VaultKey } from "./vault.ts";

export interface VaultKeyOptions {
  /** private folder of the logins */
  readonly folder: string;
  readonly keychain: Keychain | undefined;
}

/** The key of a sealed file. Raises STORE_FAILED when it is not there. */
export function findVaultKey(place: KeyPlace, options: VaultKeyOptions): Promise<VaultKey> {
  return findSealingKey(place, ofLogins(options));
}

/** The key for the first sealed file. Nobody else may do this at the same time. */
export function makeVaultKey(options: VaultKeyOptions): Promise<VaultKey> {
  return makeSealingKey(ofLogins(options));
}

function ofLogins(options: VaultKeyOptions): SealingKeyOptions {
  return {
    ...options,
    fileName: "logins.key",
    what: "the MCP logins",
    exposedHint: "log out of every MCP server",
    unusable,
  };
}
