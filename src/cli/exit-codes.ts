/** Exit codes as container tools have them, and three for changes that were wanted and not applied. */
export const exitCodes = {
  done: 0,
  /** what was checked is not as it should be: the audit, a policy */
  broken: 1,
  /** changes kept, nobody could be asked */
  kept: 10,
  /** changes rejected, or the card expired */
  rejected: 11,
  /** changes not applied: the host's files changed meanwhile */
  conflict: 12,
  timedOut: 124,
  /** LuminaGuard itself failed */
  failed: 125,
  cannotExecute: 126,
  notFound: 127,
  interrupted: 130,
} as const;
