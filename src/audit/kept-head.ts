/**
 * The audit's newest hash in another folder, so that setting the whole state folder back is noticed.
 * It only ever moves forward along the chain it was begun with.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import * as v from "valibot";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { errnoOf, toHostError } from "../base/host-error.ts";
import { makePrivateFolder } from "../base/private-folder.ts";
import { LuminaGuardError } from "../errors.ts";
import type { ChainHead } from "./audit-entry.ts";

export interface KeptHead extends ChainHead {
  /** hash of the first record: names the chain */
  readonly genesis: string;
}

const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const fileSchema = v.strictObject({
  version: v.literal(1),
  /** folder of the audit, for a person who finds the file */
  stateDir: v.string(),
  genesis: hash,
  seq: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  hash,
});

export class HeadFile {
  readonly path: string;
  readonly #stateDir: string;

  /** @param folder where heads are kept, one for each state folder */
  constructor(folder: string, stateDir: string) {
    this.#stateDir = resolve(stateDir);
    const name = createHash("sha256").update(this.#stateDir).digest("hex").slice(0, 16);
    this.path = join(folder, `${name}.json`);
  }

  /** `undefined` when none was kept yet. Raises AUDIT_BROKEN for a file that is no head. */
  async read(): Promise<KeptHead | undefined> {
    const text = await readFile(this.path, "utf8").catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw toHostError(error, "the kept head cannot be read");
    });
    if (text === undefined) return undefined;
    const parsed = v.safeParse(fileSchema, parseJson(text));
    if (parsed.success) {
      const { genesis, seq, hash: head } = parsed.output;
      return { genesis, seq, hash: head };
    }
    throw new LuminaGuardError("AUDIT_BROKEN", `${this.path} is not the head that was kept there`, {
      hint: "compare the audit with a head that you wrote down: luminaguard audit verify --head HASH",
    });
  }

  /** @param isKnown whether the audit has the record that was kept before: else that one stays, for `verify` to find */
  async keep(head: KeptHead, isKnown: (kept: KeptHead) => boolean): Promise<void> {
    const kept = await this.read();
    if (kept !== undefined && (kept.seq >= head.seq || !isKnown(kept))) return;
    await makePrivateFolder(dirname(this.path));
    const { genesis, seq, hash: newest } = head;
    const file = { version: 1, stateDir: this.#stateDir, genesis, seq, hash: newest };
    await writeFileAtomic(this.path, `${JSON.stringify(file)}\n`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // what is no JSON is no head either
  }
}
