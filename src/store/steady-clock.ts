/**
 * Time that never goes back: the wall clock, unless it was set back since a time that is known. What
 * is known is the last time given here, and the last that any process stored.
 */
export interface Clock {
  /** `ms` since 1970, may be set forward and back */
  readonly wall: () => number;
  /** `ms` since whenever, only ever grows */
  readonly elapsed: () => number;
}

export const systemClock: Clock = { wall: Date.now, elapsed: () => performance.now() };

export class SteadyClock {
  readonly #clock: Clock;
  #anchor = 0;
  #anchoredAt: number;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#anchoredAt = clock.elapsed();
  }

  /** whole `ms` since 1970 */
  now(): number {
    const elapsed = this.#clock.elapsed();
    const now = Math.max(this.#clock.wall(), this.#anchor + elapsed - this.#anchoredAt);
    this.#anchor = now;
    this.#anchoredAt = elapsed;
    return Math.floor(now);
  }

  /** Time was as late as this already: never gives an earlier one again. */
  notBefore(time: number): void {
    if (time <= this.now()) return;
    this.#anchor = time;
    this.#anchoredAt = this.#clock.elapsed();
  }
}
