/**
 * When a server that ended unasked is started again: at once after a long life, then after waits that
 * grow, and not at all while it ends too often.
 */
export interface RestartOptions {
  /** longest first wait, in `ms`
   * @default 250 */
  readonly initialMs: number;
  /** longest wait, in `ms`
   * @default 10_000 */
  readonly maxMs: number;
  /** how much longer each wait may be
   * @default 2 */
  readonly multiplier: number;
  /** a life of so many `ms` makes the next wait the first again
   * @default 10_000 */
  readonly stableMs: number;
  /** most ends within `windowMs` after which it is started again
   * @default 5 */
  readonly restartsMax: number;
  /** in `ms`
   * @default 60_000 */
  readonly windowMs: number;
}

export const defaultRestart: RestartOptions = {
  initialMs: 250,
  maxMs: 10_000,
  multiplier: 2,
  stableMs: 10_000,
  restartsMax: 5,
  windowMs: 60_000,
};

export class RestartPolicy {
  readonly #options: RestartOptions;
  /** when it ended unasked, oldest first, at most one more than are allowed */
  #ends: number[] = [];
  /** how often it ended in a row without a long life between */
  #row = 0;

  constructor(options: Partial<RestartOptions> = {}) {
    this.#options = { ...defaultRestart, ...options };
  }

  /** @param lifeMs how long it ran */
  recordEnd(now: number, lifeMs: number): void {
    this.#row = lifeMs >= this.#options.stableMs ? 1 : this.#row + 1;
    this.#ends = [...this.#ends, now].slice(-(this.#options.restartsMax + 1));
  }

  /** The last end had a reason that another start does away with. */
  excuseEnd(): void {
    this.#ends.pop();
    this.#row = Math.max(0, this.#row - 1);
  }

  /** How long in `ms` until it may be started again, because it ended too often; else 0. */
  restMs(now: number): number {
    const { restartsMax, windowMs } = this.#options;
    const [oldest] = this.#ends;
    if (oldest === undefined || this.#ends.length <= restartsMax) return 0;
    return Math.max(0, oldest + windowMs - now);
  }

  /** The wait before the next start in `ms`: exponential, with full jitter; none after the first end. */
  waitMs(random: () => number): number {
    const { initialMs, maxMs, multiplier } = this.#options;
    if (this.#row < 2) return 0;
    return random() * Math.min(maxMs, initialMs * multiplier ** (this.#row - 2));
  }
}
