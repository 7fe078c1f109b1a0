/** A clock that stands still while a person is asked something: their time is not the server's. */
import type { Clock } from "../../base/clock.ts";
import { PausableClock } from "../../base/clock.ts";

export class HumanClock implements Clock {
  readonly #clock = new PausableClock();
  #asked = 0;

  readonly now = (): number => this.#clock.now();

  /** Runs what asks a person; several at once stop the clock once. */
  async whileAsking<T>(ask: () => Promise<T> | T): Promise<T> {
    this.#asked += 1;
    this.#clock.setPaused(true);
    try {
      return await ask();
    } finally {
      this.#asked -= 1;
      if (this.#asked === 0) this.#clock.setPaused(false);
    }
  }
}
