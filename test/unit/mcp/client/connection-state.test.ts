import { expect, it } from "vitest";
import { StateWatch } from "../../../../src/mcp/client/connection-state.ts";
import type { Endpoint } from "../../../../src/mcp/client/endpoints/endpoint.ts";

it("keeps the last hundred changes, oldest first, and tells of each", () => {
  const endpoint = { isUp: true, link: { current: {}, isDialing: false } };
  const watch = new StateWatch([endpoint as unknown as Endpoint], () => undefined);
  const told: string[] = [];
  const stop = watch.listen(({ why }) => told.push(why));
  for (let count = 0; count < 250; count += 1) {
    endpoint.isUp = count % 2 === 0;
    watch.look(String(count));
    watch.look("nothing changed");
  }
  stop();
  watch.close();
  const why = told.map((_, index) => String(index));
  expect(told).toEqual(why);
  expect(told).toHaveLength(250);
  const { history } = watch.snapshot();
  expect([history.length, history[0]?.why, history.at(-1)?.to]).toEqual([100, "151", "closed"]);
  endpoint.isUp = true;
  watch.look("closed is for good");
  expect(watch.state).toBe("closed");
});

it("a listener that throws keeps no other from being told, and is told of", () => {
  const endpoint = { isUp: true, link: { current: {}, isDialing: false } };
  const errors: Error[] = [];
  const watch = new StateWatch([endpoint as unknown as Endpoint], (error) => errors.push(error));
  const told: string[] = [];
  watch.listen(() => {
    throw new Error("the listener failed");
  });
  watch.listen(({ to }) => told.push(to));
  watch.look("up");
  expect(told).toEqual(["ready"]);
  expect(errors.map(({ message }) => message)).toEqual(["the listener failed"]);
});
