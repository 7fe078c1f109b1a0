/** What a person said to a card. */
import type { Edit } from "../runtime/cliff/edit-call.ts";
import type { GrantScopeKind } from "../runtime/values.ts";

export interface FileChoice {
  /** files to be written */
  readonly paths: readonly string[];
  /** of these files only the hunks with these numbers, from 0 */
  readonly hunks: Readonly<Record<string, readonly number[]>>;
}

export type Answer =
  | { readonly kind: "approve" }
  | { readonly kind: "reject"; readonly reason: string; readonly freeze: boolean }
  | { readonly kind: "choose"; readonly choice: FileChoice }
  | { readonly kind: "grant"; readonly scopeKind: GrantScopeKind; readonly usesMax: number }
  /** the call became another, which is a card of its own */
  | { readonly kind: "edit"; readonly edit: Edit }
  | { readonly kind: "stop" }
  /** silence, a closed terminal, a stopped program: a no */
  | { readonly kind: "no-answer" };
