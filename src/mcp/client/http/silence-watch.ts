/** Ends an exchange in which nothing was heard for too long. Hearing something costs no timer. */
import type { Clock } from "../../../base/clock.ts";
import { callAfter } from "../../../base/clock.ts";

export class SilenceWatch {
  readonly #clock: Clock;
  readonly #onSilence: () => void;
  #limitMs: number;
  #heardAt: number;
  #callOff: () => void;

  /** @param limitMs silence that ends it; 0 is for ever */
  constructor(limitMs: number, clock: Clock, onSilence: () => void) {
    this.#clock = clock;
    this.#onSilence = onSilence;
    this.#limitMs = limitMs;
    this.#heardAt = clock.now();
    this.#callOff = this.#arm(limitMs);
  }

  hear(): void {
    this.#heardAt = this.#clock.now();
  }

  /** Another limit from now on. */
  restart(limitMs: number): void {
    this.#callOff();
    this.#limitMs = limitMs;
    this.hear();
    this.#callOff = this.#arm(limitMs);
  }

  stop(): void {
    this.#callOff();
  }

  #arm(ms: number): () => void {
    if (this.#limitMs === 0) return () => undefined;
    return callAfter(ms, () => this.#look(), this.#clock);
  }

  #look(): void {
    const leftMs = this.#heardAt + this.#limitMs - this.#clock.now();
    if (leftMs <= 0) this.#onSilence();
    else this.#callOff = this.#arm(leftMs);
  }
}
