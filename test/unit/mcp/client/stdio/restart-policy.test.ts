import { describe, expect, it } from "vitest";
import { RestartPolicy } from "../../../../../src/mcp/client/stdio/restart-policy.ts";

const most = (): number => 1;

describe("a server that ends", () => {
  it("once is started again at once, in a row after waits that grow up to a bound", () => {
    const policy = new RestartPolicy({ initialMs: 100, maxMs: 1_000, multiplier: 3 });
    const waits = Array.from({ length: 6 }, () => {
      policy.recordEnd(0, 5);
      return policy.waitMs(most);
    });
    expect(waits).toEqual([0, 100, 300, 900, 1_000, 1_000]);
    expect(policy.waitMs(() => 0.25)).toBe(250);
  });

  it("after a long life begins a new row", () => {
    const policy = new RestartPolicy({ stableMs: 1_000 });
    for (let end = 0; end < 4; end += 1) policy.recordEnd(end, 1);
    policy.recordEnd(5_000, 1_000);
    expect(policy.waitMs(most)).toBe(0);
    policy.recordEnd(5_001, 999);
    expect(policy.waitMs(most)).toBe(250);
  });

  it("too often is left alone until the first of its ends is out of the window", () => {
    const policy = new RestartPolicy({ restartsMax: 3, windowMs: 1_000 });
    for (const now of [0, 100, 200]) policy.recordEnd(now, 1);
    expect(policy.restMs(200)).toBe(0);
    policy.recordEnd(300, 1);
    expect(policy.restMs(300)).toBe(700);
    expect(policy.restMs(1_000)).toBe(0);
    policy.recordEnd(1_050, 1); // the second end is 950 ms old
    expect(policy.restMs(1_050)).toBe(50);
  });

  it("with an excuse did not end", () => {
    const policy = new RestartPolicy({ restartsMax: 1 });
    for (const now of [0, 1, 2]) {
      policy.recordEnd(now, 1);
      policy.excuseEnd();
    }
    policy.excuseEnd();
    expect(policy.restMs(2)).toBe(0);
    expect(policy.waitMs(most)).toBe(0);
  });
});
