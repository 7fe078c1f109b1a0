/**
 * The circuit breaker of one endpoint. Closed, calls pass; open, none does for a while; half open, one
 * call at a time is the probe that closes it or opens it again for twice as long.
 */
import type { Clock } from "../../../base/clock.ts";

export type BreakerState = "closed" | "open" | "half-open";

export type BreakerOptions =
  | {
      /** opens after so many failures in a row */
      readonly mode: "consecutive";
      readonly failures: number;
      readonly openMs: number;
      readonly openMsMax: number;
    }
  | {
      /** opens when this share of the calls in the window failed */
      readonly mode: "rate";
      readonly rate: number;
      readonly windowMs: number;
      /** fewer calls than this say nothing */
      readonly callsMin: number;
      readonly openMs: number;
      readonly openMsMax: number;
    };

/** The right to make one call, given back with how it ended. */
export type Pass = number;

/** the window of rate mode is counted in this many parts */
const slotCount = 10;

interface Slot {
  number: number;
  calls: number;
  failures: number;
}

export class CircuitBreaker {
  readonly #options: BreakerOptions;
  readonly #clock: Clock;
  readonly #slots: Slot[] = [];
  #state: BreakerState = "closed";
  #failuresInRow = 0;
  #opensInRow = 0;
  #openUntil = 0;
  #isProbing = false;
  /** counts changes of the state: a call that ends in a later one says nothing of it */
  #period: Pass = 0;

  constructor(options: BreakerOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  get state(): BreakerState {
    if (this.#state === "open" && this.#clock.now() >= this.#openUntil) return "half-open";
    return this.#state;
  }

  /** when a probe may pass, on the clock; 0 when calls may pass now */
  get openUntil(): number {
    return this.state === "open" ? this.#openUntil : 0;
  }

  /** Whether a call would be let through now. */
  get isPassable(): boolean {
    const { state } = this;
    return state === "closed" || (state === "half-open" && !this.#isProbing);
  }

  /** Takes the right to make one call, if there is one; exactly one of the three ends must follow. */
  tryEnter(): Pass | undefined {
    if (this.#state === "closed") return this.#period;
    if (!this.isPassable) return undefined;
    this.#enter("half-open");
    this.#isProbing = true;
    return this.#period;
  }

  endWell(pass: Pass): void {
    if (pass !== this.#period) return;
    this.#isProbing = false;
    this.#failuresInRow = 0;
    this.#opensInRow = 0;
    if (this.#state !== "closed") {
      this.#slots.length = 0;
      this.#enter("closed");
    }
    this.#count(false);
  }

  endBadly(pass: Pass): void {
    if (pass !== this.#period) return;
    this.#isProbing = false;
    this.#failuresInRow += 1;
    this.#count(true);
    if (this.#state === "half-open" || this.#isTooMuch()) this.#open();
  }

  /** The call said nothing about the endpoint, as when its caller left. */
  endUnjudged(pass: Pass): void {
    if (pass === this.#period) this.#isProbing = false;
  }

  #enter(state: BreakerState): void {
    this.#state = state;
    this.#period += 1;
  }

  #open(): void {
    const { openMs, openMsMax } = this.#options;
    this.#openUntil = this.#clock.now() + Math.min(openMs * 2 ** this.#opensInRow, openMsMax);
    this.#opensInRow = Math.min(this.#opensInRow + 1, 30);
    this.#enter("open");
  }

  #isTooMuch(): boolean {
    if (this.#options.mode === "consecutive") return this.#failuresInRow >= this.#options.failures;
    let calls = 0;
    let failures = 0;
    const oldest = this.#slotNumber() - slotCount;
    for (const slot of this.#slots) {
      if (slot.number <= oldest) continue;
      calls += slot.calls;
      failures += slot.failures;
    }
    return calls >= this.#options.callsMin && failures / calls >= this.#options.rate;
  }

  #slotNumber(): number {
    if (this.#options.mode === "consecutive") return 0;
    return Math.floor((this.#clock.now() / this.#options.windowMs) * slotCount);
  }

  #count(isFailure: boolean): void {
    if (this.#options.mode === "consecutive") return;
    const number = this.#slotNumber();
    let slot = this.#slots.at(-1);
    if (slot?.number !== number) {
      slot = { number, calls: 0, failures: 0 };
      this.#slots.push(slot);
      if (this.#slots.length > slotCount) this.#slots.shift();
    }
    slot.calls += 1;
    if (isFailure) slot.failures += 1;
  }
}
