/** The scopes that an endpoint ever wanted: a wider grant keeps what an earlier one got. */
import { computeScopeUnion, isStrictScopeSuperset } from "@modelcontextprotocol/client";

/** no second try to widen a grant to the same scopes within this time, in `ms` */
const tryAgainMs = 5 * 60_000;

export class ScopeWishes {
  #wished: string | undefined;
  readonly #triedAt = new Map<string, number>();

  /** Keeps the scope that a 401 named; gives all so far. */
  add(scope: string | undefined): string | undefined {
    this.#wished = computeScopeUnion(this.#wished, scope);
    return this.#wished;
  }

  /** What to ask for after a 403: all so far and what the server named now, in a fixed order. */
  union(granted: string | undefined, named: string | undefined): string {
    const union = computeScopeUnion(this.#wished, granted, named) ?? "";
    return union.split(" ").sort().join(" ");
  }

  /** Whether asking is no use: it was granted and is not enough, or it was tried just now. */
  isHopeless(union: string, granted: string | undefined, nowMs: number): boolean {
    if (granted !== undefined && !isStrictScopeSuperset(union, granted)) return true;
    return nowMs - (this.#triedAt.get(union) ?? Number.NEGATIVE_INFINITY) < tryAgainMs;
  }

  tried(union: string, nowMs: number): void {
    this.#triedAt.set(union, nowMs);
    this.#wished = union;
  }
}
