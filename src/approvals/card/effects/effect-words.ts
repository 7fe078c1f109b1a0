/** What a card says of one effect: facts beside the arguments, marks of danger, and what a yes does. */

export interface EffectWords {
  /** one sentence: what happens on yes */
  readonly onYes: string;
  readonly flags: readonly string[];
  /** facts that the host adds to the arguments, as texts by name */
  readonly facts: readonly (readonly [name: string, text: string])[];
}
