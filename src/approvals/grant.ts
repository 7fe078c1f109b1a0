/** A remembered decision with a scope: so many uses, so long, for calls that look like this. */
import type { GrantScope } from "./policy.ts";

export interface Grant {
  /** ULID */
  readonly id: string;
  readonly scope: GrantScope;
  /** the rule, word for word as it stood on the card */
  readonly text: string;
  readonly usesMax: number;
  readonly uses: number;
  readonly createdAt: string;
  readonly expiresAt: string;
  /** null: it stands */
  readonly revokedAt: string | null;
}
