import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBalancer } from "../../../../../src/mcp/client/endpoints/balancer.ts";
import type { Balancing } from "../../../../../src/mcp/client/endpoints/balancer.ts";

interface Each {
  readonly weight: number;
  inFlight: number;
}

const make = (...weights: readonly number[]): Each[] =>
  weights.map((weight) => ({ weight, inFlight: 0 }));

function take(balancing: Balancing, candidates: readonly Each[], count: number, start = 0) {
  const pick = createBalancer<Each>(balancing, start);
  return Array.from({ length: count }, () => candidates.indexOf(pick(candidates) as Each));
}

const tally = (picks: readonly number[], of: number): number[] =>
  Array.from({ length: of }, (_, index) => picks.filter((each) => each === index).length);

const all: readonly Balancing[] = ["round-robin", "least-in-flight", "weighted"];
const weight = fc.integer({ min: 1, max: 9 });
const weights = fc.array(weight, { minLength: 1, maxLength: 8 });

describe.each(all)("%s", (balancing) => {
  it("picks only what was offered, and nothing of nothing", () => {
    const one = fc.record({ weight, inFlight: fc.nat(5) });
    const many = fc.array(one, { minLength: 1, maxLength: 8 });
    const offers = fc.array(fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }));
    fc.assert(
      fc.property(many, offers, fc.nat(), (endpoints, rounds, start) => {
        const pick = createBalancer<Each>(balancing, start);
        for (const round of rounds) {
          const offered = endpoints.filter((_, index) => round[index]);
          const picked = pick(offered);
          if (offered.length === 0) expect(picked).toBeUndefined();
          else expect(offered).toContain(picked);
        }
      }),
    );
  });

  it("leaves nobody out for ever", () => {
    const picks = take(balancing, make(1, 1, 1, 1), 8);
    expect(tally(picks, 4)).toEqual([2, 2, 2, 2]);
  });
});

it("goes round from where it is told to begin", () => {
  expect(take("round-robin", make(1, 1, 1), 4, 1)).toEqual([2, 0, 1, 2]);
});

describe("by weight", () => {
  it("gives each exactly its share of every full turn", () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 4 }), (each, turns) => {
        const total = each.reduce((sum, one) => sum + one, 0);
        const picks = take("weighted", make(...each), total * turns);
        expect(tally(picks, each.length)).toEqual(each.map((one) => one * turns));
      }),
    );
  });

  it("is never more than one call away from the share, at any time", () => {
    fc.assert(
      fc.property(weights, (each) => {
        const total = each.reduce((sum, one) => sum + one, 0);
        const picks = take("weighted", make(...each), total);
        each.forEach((one, index) => {
          for (let count = 1; count <= total; count += 1) {
            const got = tally(picks.slice(0, count), each.length)[index] ?? 0;
            // smooth weighted round robin strays by less than the number of endpoints
            expect(Math.abs(got - (count * one) / total)).toBeLessThan(Math.max(1, each.length));
          }
        });
      }),
    );
  });

  it("mixes, where giving each its share in a run would do", () => {
    expect(take("weighted", make(5, 1, 1), 7)).toEqual([0, 0, 1, 0, 2, 0, 0]);
  });
});

it("picks one of those with the least in flight for their weight", () => {
  const one = fc.record({ weight, inFlight: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(one, { minLength: 1, maxLength: 8 }), (endpoints) => {
      const picked = createBalancer<Each>("least-in-flight", 0)(endpoints);
      const least = Math.min(...endpoints.map((each) => each.inFlight / each.weight));
      expect((picked?.inFlight ?? 0) / (picked?.weight ?? 1)).toBe(least);
    }),
  );
});

it("keeps calls that last spread over all endpoints by weight", () => {
  const endpoints = make(1, 2, 4);
  const pick = createBalancer<Each>("least-in-flight", 0);
  for (let call = 0; call < 70; call += 1) {
    const picked = pick(endpoints);
    if (picked !== undefined) picked.inFlight += 1;
  }
  expect(endpoints.map(({ inFlight }) => inFlight)).toEqual([10, 20, 40]);
});
