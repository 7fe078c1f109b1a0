import { expect, test } from "vitest";
import { interleave } from "../../../src/bench/interleave.ts";

const never = new AbortController().signal;
const host = { quiet: (): Promise<void> => Promise.resolve() };

test("value and floor are taken in turn, and the first round does not count", async () => {
  const order: string[] = [];
  const sample = (name: string): (() => Promise<number>) => {
    return () => Promise.resolve(order.push(name));
  };
  const series = await interleave(host, 2, never, sample("value"), sample("floor"));
  expect(order).toEqual(["value", "floor", "value", "floor", "value", "floor"]);
  expect(series).toEqual({ values: [3, 5], floors: [4, 6] });
});

test("without a floor there are values alone", async () => {
  const series = await interleave(host, 3, never, () => Promise.resolve(1));
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
  await expect(interleave(host, 20, over.signal, value)).rejects.toBe(reason);
  expect(taken).toBe(2);
});

test("each sample starts on a quiet host", async () => {
  const order: string[] = [];
  const note = (name: string): Promise<number> => Promise.resolve(order.push(name));
  const busy = {
    quiet: async (): Promise<void> => {
      await note("quiet");
    },
  };
  await interleave(
    busy,
    1,
    never,
    () => note("value"),
    () => note("floor"),
  );
  expect(order).toEqual(["quiet", "value", "quiet", "floor", "quiet", "value", "quiet", "floor"]);
});
