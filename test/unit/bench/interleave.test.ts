import { expect, test } from "vitest";
import { interleave } from "../../../src/bench/interleave.ts";

const never = new AbortController().signal;

test("value and floor are taken in turn, and the first round does not count", async () => {
  const order: string[] = [];
  const sample = (name: string): (() => Promise<number>) => {
    return () => Promise.resolve(order.push(name));
  };
  const series = await interleave(2, never, sample("value"), sample("floor"));
  expect(order).toEqual(["value", "floor", "value", "floor", "value", "floor"]);
  expect(series).toEqual({ values: [3, 5], floors: [4, 6] });
});

test("without a floor there are values alone", async () => {
  const series = await interleave(3, never, () => Promise.resolve(1));
  expect(series).toEqual({ values: [1, 1, 1], floors: [] });
});

test("an abort ends it before the next sample, with the caller's reason", async () => {
  const over = new AbortController();
  const reason = new Error("enough");
  let taken = 0;
  const value = (): Promise<number> => {
    taken += 1;
    if (taken === 2) over.abort(reason);
    return Promise.resolve(0);
  };
  await expect(interleave(20, over.signal, value)).rejects.toBe(reason);
  expect(taken).toBe(2);
});
