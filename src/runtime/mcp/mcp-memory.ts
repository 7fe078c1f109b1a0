/**
 * What a person said yes to about MCP servers, in their state folder: entries of projects by digest,
 * and tools by the definition they had when last called. Nothing a project holds can write it. Of two
 * processes that write at once one is forgotten, and what it knew is asked about again.
 */
import { join } from "node:path";
import * as v from "valibot";
import { writeFileAtomic } from "../../base/atomic-file.ts";
import { makePrivateFolder } from "../../base/private-folder.ts";
import { readPlainFile } from "../../base/read-plain-file.ts";
import { LuminaGuardError } from "../../errors.ts";

interface Memory {
  /** place and digest of an entry → the approval that trusts it */
  readonly trusted: Readonly<Record<string, string>>;
  /** `server.tool` → fingerprint of the definition last called */
  readonly tools: Readonly<Record<string, string>>;
}

const schema: v.GenericSchema<unknown, Memory> = v.object({
  trusted: v.record(v.string(), v.string()),
  tools: v.record(v.string(), v.string()),
});
const bytesMax = 8 * 1024 * 1024;

export class McpMemory {
  readonly #folder: string;

  constructor(stateDir: string) {
    this.#folder = join(stateDir, "mcp");
  }

  async isTrusted(digest: string, place: string): Promise<boolean> {
    return Object.hasOwn((await this.#read()).trusted, `${place} ${digest}`);
  }

  /** @param approval id of the envelope a person said yes to */
  async trust(digest: string, place: string, approval: string): Promise<void> {
    const memory = await this.#read();
    const trusted = { ...memory.trusted, [`${place} ${digest}`]: approval };
    await this.#write({ ...memory, trusted });
  }

  /** Whether the tool was called before as it is defined now. */
  async knowsTool(tool: string, fingerprint: string): Promise<boolean> {
    const { tools } = await this.#read();
    return Object.hasOwn(tools, tool) && tools[tool] === fingerprint;
  }

  async rememberTool(tool: string, fingerprint: string): Promise<void> {
    const memory = await this.#read();
    if (memory.tools[tool] === fingerprint) return;
    await this.#write({ ...memory, tools: { ...memory.tools, [tool]: fingerprint } });
  }

  get #path(): string {
    return join(this.#folder, "trusted.json");
  }

  /** Raises STORE_FAILED for a file that is not ours: nothing is trusted by mistake. */
  async #read(): Promise<Memory> {
    const refuse = (why: string, cause?: unknown): Error =>
      new LuminaGuardError("STORE_FAILED", `${this.#path} ${why}`, {
        hint: "remove it: what was trusted is asked about again",
        cause,
      });
    const text = await readPlainFile(this.#path, { bytesMax, followsLink: false, refuse });
    if (text === undefined) return { trusted: {}, tools: {} };
    try {
      return v.parse(schema, JSON.parse(text));
    } catch (error) {
      throw refuse("is not what was written", error);
    }
  }

  async #write(memory: Memory): Promise<void> {
    await makePrivateFolder(this.#folder);
    await writeFileAtomic(this.#path, JSON.stringify(memory));
  }
}
