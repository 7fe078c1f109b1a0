/**
 * What deadlines are counted on. A clock may stand still: time in which a machine is frozen is time
 * in which it can meet no deadline.
 */
export interface Clock {
  /** `ms` since some moment */
  readonly now: () => number;
}

export const hostClock: Clock = { now: () => performance.now() };

/** Stands still while it is paused. */
export class PausableClock implements Clock {
  #passedMs = 0;
  #goesSince: number | undefined = performance.now();

  get isPaused(): boolean {
    return this.#goesSince === undefined;
  }

  readonly now = (): number => {
    const goingMs = this.#goesSince === undefined ? 0 : performance.now() - this.#goesSince;
    return this.#passedMs + goingMs;
  };

  setPaused(isPaused: boolean): void {
    if (isPaused === this.isPaused) return;
    this.#passedMs = this.now();
    this.#goesSince = isPaused ? undefined : performance.now();
  }
}

/** a timer may fire this much before its time, in `ms` */
export const earlyMs = 2;
/** how often a clock that stood still is looked at again, in `ms` */
const lookAgainMs = 50;

/** the longest that a timer of Node can be set to, in `ms`; one that is set to more fires at once */
export const longestTimerMs = 2_147_483_647;

/** Calls back when `ms` have passed on the clock. Returns what calls it off. */
export function callAfter(ms: number, onDue: () => void, clock: Clock = hostClock): () => void {
  const dueAt = clock.now() + ms;
  const look = (): void => {
    const leftMs = dueAt - clock.now();
    if (leftMs < earlyMs) onDue();
    else timer = setTimeout(look, Math.min(Math.max(leftMs, lookAgainMs), longestTimerMs));
  };
  let timer = setTimeout(look, Math.min(ms, longestTimerMs));
  return () => clearTimeout(timer);
}
