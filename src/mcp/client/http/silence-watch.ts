/** Ends an exchange in which nothing was heard for too long. Hearing something costs no timer. */
import type { Clock } from "../../../base/clock.ts";
import { callAfter, earlyMs } from "../../../base/clock.ts";

export class SilenceWatch {
  readonly #clock: Clock;
  readonly #onSilence: () => void;
  readonly #shortestMs: number;
  #limitMs: number;
  #heardAt: number;
  #callOff: () => void = () => undefined;

  /**
   * @param limitMs silence that ends it; 0 is for ever
   * @param laterMs a limit that `restart` may set, so that the timer need not be set anew
   */
  constructor(limitMs: number, laterMs: number, clock: Clock, onSilence: () => void) {
    this.#clock = clock;
    this.#onSilence = onSilence;
    this.#limitMs = limitMs;
    this.#heardAt = clock.now();
    this.#shortestMs = Math.min(limitMs || laterMs, laterMs || limitMs);
    if (this.#shortestMs > 0) this.#arm(this.#shortestMs);
  }

  hear(): void {
    this.#heardAt = this.#clock.now();
  }

  /** Another limit from now on. */
  restart(limitMs: number): void {
    this.#limitMs = limitMs;
    this.hear();
  }

  stop(): void {
    this.#callOff();
  }

  #arm(ms: number): void {
    this.#callOff = callAfter(ms, this.#look, this.#clock);
  }

  readonly #look = (): void => {
    const leftMs = this.#heardAt + this.#limitMs - this.#clock.now();
    if (this.#limitMs === 0) this.#arm(this.#shortestMs);
    // what is left when the clock is stopped just before the end is not waited for again and again
    else if (leftMs < earlyMs) this.#onSilence();
    else this.#arm(leftMs);
  };
}
