/**
 * Logins on disk, shared by every process of this user: read anew when the file changed, written under
 * a lock, and renewed by one process at a time, since a refresh token may be good for one use.
 *
 *   <folder>/logins.sealed   logins.key (where no keychain answers)   locks/
 */
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../../../base/atomic-file.ts";
import { errnoOf, toHostError } from "../../../base/host-error.ts";
import { makePrivateFolder } from "../../../base/private-folder.ts";
import { LuminaGuardError } from "../../../errors.ts";
import { tryTakeLock } from "../../../process/process-lock.ts";
import type { Keychain } from "../../../process/keychain.ts";
import { emptyLogin, keyPlaceOf, openVault, sealVault, unusable } from "./vault.ts";
import type { Login, Vault, VaultKey } from "./vault.ts";
import { findVaultKey, makeVaultKey } from "./vault-key.ts";

export interface LoginStoreOptions {
  /** made if it is missing; only this user may enter it */
  readonly folder: string;
  /** @default none: the key is kept in a file */
  readonly keychain?: Keychain | undefined;
}

/** longest wait for another process that writes, in `ms` */
const writeTimeoutMs = 10_000;
/** longest wait for another process that renews a token: its requests have deadlines, in `ms` */
const renewTimeoutMs = 120_000;
/** largest file that is read, in `bytes` */
const fileBytesMax = 16 * 1024 * 1024;

export class LoginStore {
  readonly #options: LoginStoreOptions;
  readonly #path: string;
  #key: VaultKey | undefined;
  #known: { readonly stamp: string; readonly vault: Vault } | undefined;

  private constructor(options: LoginStoreOptions) {
    this.#options = options;
    this.#path = join(options.folder, "logins.sealed");
  }

  /** Raises HOST_LIMIT when the folder is not this user's alone. */
  static async open(options: LoginStoreOptions): Promise<LoginStore> {
    await makePrivateFolder(options.folder);
    return new LoginStore(options);
  }

  /** Changes whenever a process wrote; cheap enough to be asked often. */
  stamp(): string {
    const found = statSync(this.#path, { throwIfNoEntry: false, bigint: true });
    return found === undefined ? "" : `${found.ino}:${found.size}:${found.mtimeNs}`;
  }

  /** Raises STORE_FAILED for a file that cannot be used. */
  async read(server: string): Promise<Login> {
    return (await this.#readVault()).logins[server] ?? emptyLogin;
  }

  /** The servers that something is kept of. */
  async list(): Promise<readonly string[]> {
    return Object.keys((await this.#readVault()).logins);
  }

  /** Writes what the work makes of the login as it is now; undefined forgets it. */
  async change(server: string, work: (login: Login) => Login | undefined): Promise<Login> {
    await using _lock = await this.#lock("file", writeTimeoutMs);
    const { [server]: before = emptyLogin, ...others } = (await this.#readVault()).logins;
    const after = work(before);
    const logins = after === undefined ? others : { ...others, [server]: after };
    await this.#write({ logins });
    return after ?? emptyLogin;
  }

  /** Runs the work while no other process does so for this server. */
  async exclusively<T>(server: string, work: () => Promise<T>): Promise<T> {
    await using _lock = await this.#lock(server, renewTimeoutMs);
    return await work();
  }

  async #readVault(): Promise<Vault> {
    const stamp = this.stamp();
    if (stamp === "") return { logins: {} };
    if (this.#known?.stamp === stamp) return this.#known.vault;
    const text = await this.#readText();
    this.#key ??= await findVaultKey(keyPlaceOf(text), this.#keyOptions());
    const vault = openVault(text, this.#key);
    this.#known = { stamp, vault };
    return vault;
  }

  async #readText(): Promise<string> {
    try {
      const bytes = await readFile(this.#path);
      if (bytes.length <= fileBytesMax) return bytes.toString("utf8");
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw toHostError(error, "the MCP logins cannot be read");
    }
    throw unusable("it is too large, or was removed just now");
  }

  async #write(vault: Vault): Promise<void> {
    try {
      this.#key ??= await makeVaultKey(this.#keyOptions());
      await writeFileAtomic(this.#path, sealVault(vault, this.#key));
    } catch (error) {
      throw toHostError(error, "the MCP logins cannot be written");
    }
    this.#known = { stamp: this.stamp(), vault };
  }

  async #lock(name: string, timeoutMs: number): Promise<AsyncDisposable> {
    const hash = createHash("sha256").update(name).digest("hex").slice(0, 32);
    const folder = join(this.#options.folder, "locks", hash);
    const lock = await tryTakeLock(folder, { timeoutMs }).catch((error: unknown) => {
      throw toHostError(error, "the MCP logins cannot be locked");
    });
    if (lock !== undefined) return lock;
    throw new LuminaGuardError("TIMEOUT", "another luminaguard process holds the MCP logins", {
      hint: "wait until it is done, then try again",
    });
  }

  #keyOptions(): { folder: string; keychain: Keychain | undefined } {
    return { folder: this.#options.folder, keychain: this.#options.keychain };
  }
}
