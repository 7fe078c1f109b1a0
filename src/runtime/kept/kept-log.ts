/** What happened to a machine that outlives a command, a line of JSON each, and the end of its console. */
import { appendFile, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";

export interface KeptEvent {
  /** ISO 8601 */
  readonly at: string;
  /** such as "started", "saved", "failed" */
  readonly what: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

const eventSchema = v.object({
  at: v.string(),
  what: v.string(),
  facts: v.record(v.string(), v.unknown()),
});

/** a log that is longer is begun anew with its second half, in `bytes` */
const bytesMax = 1024 * 1024;

export class KeptLog {
  readonly #path: string;
  readonly #consolePath: string;

  constructor(folder: string) {
    this.#path = join(folder, "events.jsonl");
    this.#consolePath = join(folder, "console.log");
  }

  async add(what: string, facts: KeptEvent["facts"]): Promise<void> {
    const event: KeptEvent = { at: new Date().toISOString(), what, facts };
    await this.#cut();
    await appendFile(this.#path, `${JSON.stringify(event)}\n`, { mode: 0o600 });
  }

  /** Those that can be read, oldest first. */
  async list(): Promise<readonly KeptEvent[]> {
    const text = await readFile(this.#path, "utf8").catch(() => "");
    return text.split("\n").flatMap((line) => {
      try {
        return [v.parse(eventSchema, JSON.parse(line))];
      } catch {
        return []; // cut short by a death, or by the length
      }
    });
  }

  /** @param text hostile */
  async keepConsole(text: string): Promise<void> {
    await writeFile(this.#consolePath, text, { mode: 0o600 });
  }

  /** The console's last words of the run before. Hostile text. */
  readConsole(): Promise<string> {
    return readFile(this.#consolePath, "utf8").catch(() => "");
  }

  async #cut(): Promise<void> {
    const size = await stat(this.#path).then(
      (found) => found.size,
      () => 0,
    );
    if (size < bytesMax) return;
    const text = await readFile(this.#path, "utf8");
    const half = text.slice(text.indexOf("\n", text.length / 2) + 1);
    await writeFile(this.#path, half, { mode: 0o600 });
  }
}
