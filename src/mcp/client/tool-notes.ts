/** What is remembered of a server's tools: whether calling one twice does no harm, by its own word. */
import type { Tool } from "@modelcontextprotocol/client";

export class ToolNotes {
  readonly #trust: boolean | readonly string[];
  readonly #harmlessTwice = new Set<string>();

  /** @param trust whose word is taken: everybody's, nobody's, or these tools' */
  constructor(trust: boolean | readonly string[]) {
    this.#trust = trust;
  }

  learn(tools: readonly Tool[]): void {
    this.#harmlessTwice.clear();
    for (const { name, annotations } of tools) {
      const saysSo = annotations?.readOnlyHint === true || annotations?.idempotentHint === true;
      if (saysSo) this.#harmlessTwice.add(name);
    }
  }

  /** By annotation and by policy: neither alone is enough. */
  isIdempotent(name: string): boolean {
    if (this.#trust === false || !this.#harmlessTwice.has(name)) return false;
    return this.#trust === true || this.#trust.includes(name);
  }
}
