/** What the cliff is built on; all of it is handed in. */
import type { DecisionKey } from "./decision.ts";
import type { Ledger } from "./ledger.ts";
import type { PolicyEngine } from "./policy.ts";

export interface CliffParts {
  readonly ledger: Ledger;
  readonly engine: PolicyEngine;
  readonly key: DecisionKey;
  /** this process, such as its pid and when it started */
  readonly owner: string;
  /** how long a card waits, in `ms` */
  readonly timeoutMs: number;
}
