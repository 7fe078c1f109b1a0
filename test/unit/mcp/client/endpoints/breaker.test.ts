import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CircuitBreaker } from "../../../../../src/mcp/client/endpoints/breaker.ts";
import type { BreakerOptions, Pass } from "../../../../../src/mcp/client/endpoints/breaker.ts";

const times = { openMs: 100, openMsMax: 350 };
const consecutive: BreakerOptions = { mode: "consecutive", failures: 3, ...times };
const rate: BreakerOptions = { mode: "rate", rate: 0.5, windowMs: 1000, callsMin: 4, ...times };

function create(options: BreakerOptions) {
  const clock = { at: 0, now: () => clock.at };
  const breaker = new CircuitBreaker(options, clock);
  const enter = (): Pass => {
    const pass = breaker.tryEnter();
    if (pass === undefined) throw new Error("the breaker lets nothing pass");
    return pass;
  };
  const fail = (times = 1): void => {
    for (let each = 0; each < times; each += 1) breaker.endBadly(enter());
  };
  return { clock, breaker, enter, fail, succeed: () => breaker.endWell(enter()) };
}

/** What the breaker is to do, with all it ever saw kept. */
class Model {
  readonly #options: BreakerOptions;
  #seen: { readonly at: number; readonly isGood: boolean }[] = [];
  state: "closed" | "open" | "half-open" = "closed";
  openUntil = 0;
  opens = 0;
  period = 0;
  isProbing = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  enter(at: number): number | undefined {
    if (this.state === "open" && at >= this.openUntil) this.#change("half-open");
    if (this.state === "open" || this.isProbing) return undefined;
    if (this.state === "half-open") {
      this.isProbing = true;
      this.period += 1;
    }
    return this.period;
  }

  end(at: number, period: number, isGood: boolean): void {
    if (period !== this.period) return;
    this.isProbing = false;
    if (this.state === "half-open") {
      if (isGood) {
        this.opens = 0;
        this.#change("closed");
        this.#seen = [{ at, isGood }];
      } else this.#open(at);
      return;
    }
    this.#seen.push({ at, isGood });
    if (isGood) this.opens = 0;
    else if (this.#isTooMuch(at)) this.#open(at);
  }

  leave(period: number): void {
    if (period === this.period) this.isProbing = false;
  }

  #isTooMuch(at: number): boolean {
    const options = this.#options;
    if (options.mode === "consecutive") {
      const last = this.#seen.slice(-options.failures);
      return last.length === options.failures && last.every(({ isGood }) => !isGood);
    }
    const slotOf = (ms: number): number => Math.floor((ms / options.windowMs) * 10);
    const recent = this.#seen.filter((each) => slotOf(each.at) > slotOf(at) - 10);
    const bad = recent.filter(({ isGood }) => !isGood).length;
    return recent.length >= options.callsMin && bad / recent.length >= options.rate;
  }

  #open(at: number): void {
    this.openUntil = at + Math.min(times.openMs * 2 ** this.opens, times.openMsMax);
    this.opens += 1;
    this.#change("open");
    this.#seen = [];
  }

  #change(state: Model["state"]): void {
    this.state = state;
    this.period += 1;
  }
}

type Step =
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "enter" }
  | { readonly kind: "end"; readonly which: number; readonly how: "well" | "badly" | "unjudged" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 250 }) }),
  fc.record({ kind: fc.constant("enter" as const) }),
  fc.record({
    kind: fc.constant("end" as const),
    which: fc.nat(5),
    how: fc.constantFrom("well", "badly", "badly", "unjudged"),
  }),
);

/** Runs the steps on both; the calls under way are kept side by side, and end in any order. */
function compare(options: BreakerOptions, steps: readonly Step[]): void {
  const { clock, breaker } = create(options);
  const model = new Model(options);
  const underWay: { readonly pass: Pass; readonly period: number }[] = [];
  for (const each of steps) {
    if (each.kind === "pass") clock.at += each.ms;
    else if (each.kind === "enter") {
      const pass = breaker.tryEnter();
      const period = model.enter(clock.at);
      expect(pass === undefined).toBe(period === undefined);
      if (pass !== undefined && period !== undefined) underWay.push({ pass, period });
    } else {
      const [call] = underWay.splice(each.which % Math.max(1, underWay.length), 1);
      if (call === undefined) continue;
      if (each.how === "unjudged") {
        breaker.endUnjudged(call.pass);
        model.leave(call.period);
      } else {
        if (each.how === "well") breaker.endWell(call.pass);
        else breaker.endBadly(call.pass);
        model.end(clock.at, call.period, each.how === "well");
      }
    }
    const isDue = model.state === "open" && clock.at >= model.openUntil;
    expect(breaker.state).toBe(isDue ? "half-open" : model.state);
    expect(breaker.openUntil).toBe(breaker.state === "open" ? model.openUntil : 0);
  }
}

describe.each([
  ["consecutive", consecutive],
  ["rate", rate],
])("a breaker in %s mode", (_name, options) => {
  it("does what the model does, whatever happens in whichever order", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => compare(options, steps)),
      { numRuns: 400 },
    );
  });

  it("lets exactly one probe pass when its time is over", () => {
    const { clock, breaker, fail } = create(options);
    fail(options.mode === "rate" ? 4 : 3);
    expect(breaker.tryEnter()).toBeUndefined();
    clock.at += 100;
    expect([breaker.state, breaker.isPassable]).toEqual(["half-open", true]);
    const passes = Array.from({ length: 10 }, () => breaker.tryEnter());
    expect(passes.filter((each) => each !== undefined)).toHaveLength(1);
    expect(breaker.isPassable).toBe(false);
  });

  it("stays open twice as long after each failed probe, up to its most", () => {
    const { clock, breaker, enter, fail } = create(options);
    fail(options.mode === "rate" ? 4 : 3);
    const openTimes: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      openTimes.push(breaker.openUntil - clock.at);
      clock.at = breaker.openUntil;
      breaker.endBadly(enter());
    }
    expect(openTimes).toEqual([100, 200, 350, 350, 350]);
  });

  it("begins with the short time again after a probe went well", () => {
    const { clock, breaker, fail, succeed } = create(options);
    fail(options.mode === "rate" ? 4 : 3);
    clock.at += 100;
    fail();
    clock.at += 200;
    succeed();
    expect(breaker.state).toBe("closed");
    // with the probe that went well, three make four calls
    fail(3);
    expect(breaker.openUntil - clock.at).toBe(100);
  });

  it("gives the probe to another call when its caller left", () => {
    const { clock, breaker, enter, fail } = create(options);
    fail(options.mode === "rate" ? 4 : 3);
    clock.at += 100;
    breaker.endUnjudged(enter());
    expect([breaker.state, breaker.isPassable]).toEqual(["half-open", true]);
    breaker.endWell(enter());
    expect(breaker.state).toBe("closed");
  });

  it("takes no word from a call that began before it opened", () => {
    const { clock, breaker, enter, fail } = create(options);
    const early = [enter(), enter(), enter()] as const;
    fail(options.mode === "rate" ? 4 : 3);
    breaker.endWell(early[0]);
    expect(breaker.state).toBe("open");
    clock.at += 100;
    enter();
    breaker.endUnjudged(early[1]);
    breaker.endBadly(early[2]);
    expect([breaker.state, breaker.isPassable]).toEqual(["half-open", false]);
  });
});

it("counts failures in a row, not failures", () => {
  const { breaker, fail, succeed } = create(consecutive);
  for (let round = 0; round < 5; round += 1) {
    fail(2);
    succeed();
  }
  expect(breaker.state).toBe("closed");
  fail(3);
  expect(breaker.state).toBe("open");
});

it("forgets, in rate mode, what is older than its window", () => {
  const { clock, breaker, fail } = create(rate);
  fail(3);
  clock.at += 1100;
  fail(3);
  expect(breaker.state).toBe("closed");
  fail();
  expect(breaker.state).toBe("open");
});
