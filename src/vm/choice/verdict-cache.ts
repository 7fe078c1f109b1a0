/**
 * What was found out about this host, kept so that it is not found out again at each start: the
 * canary's verdict, QEMU's version, which walls can be built. Each entry is keyed by what it depends
 * on; a file that cannot be read is an empty cache.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";

const schema = v.record(v.string(), v.string());

export class VerdictCache {
  readonly #path: string;
  #entries: Promise<Map<string, string>> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.#load()).get(key);
  }

  /** Best effort: a cache that cannot be written costs time and nothing else. */
  async set(key: string, value: string): Promise<void> {
    const entries = await this.#load();
    entries.set(key, value);
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      const next = `${this.#path}.${process.pid}.new`;
      await writeFile(next, JSON.stringify(Object.fromEntries(entries)), { mode: 0o600 });
      await rename(next, this.#path);
    } catch {
      return; // the folder cannot be written: whoever needs it for more says so
    }
  }

  #load(): Promise<Map<string, string>> {
    this.#entries ??= readEntries(this.#path);
    return this.#entries;
  }
}

async function readEntries(path: string): Promise<Map<string, string>> {
  try {
    const parsed = v.parse(schema, JSON.parse(await readFile(path, "utf8")));
    return new Map(Object.entries(parsed));
  } catch {
    return new Map(); // none yet, or not ours
  }
}
