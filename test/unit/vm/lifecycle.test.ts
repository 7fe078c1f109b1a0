import { describe, expect, it } from "vitest";
import { transition } from "../../../src/vm/lifecycle.ts";
import type { Transition, VmInput, VmState } from "../../../src/vm/lifecycle.ts";

const inputs: readonly VmInput[] = ["boot", "booted", "stop", "gone"];

/** One row a state, one column an input: the state it moves to, "ignore", or "deny". */
const rows: readonly (readonly [VmState, string, string, string, string])[] = [
  ["created", "booting", "deny", "stopped", "deny"],
  ["booting", "ignore", "running", "stopping", "failed"],
  ["running", "ignore", "ignore", "stopping", "failed"],
  ["stopping", "deny", "ignore", "ignore", "stopped"],
  ["stopped", "deny", "deny", "ignore", "ignore"],
  ["failed", "deny", "deny", "ignore", "ignore"],
];

function render(next: Transition): string {
  return next.kind === "move" ? next.to : next.kind;
}

describe("the life of a machine", () => {
  it.each(rows)("from %s goes on as the table says", (state, ...expected) => {
    expect(inputs.map((input) => render(transition(state, input)))).toEqual(expected);
  });

  it("says why it denies, in words that fit the state", () => {
    const reasons = rows.flatMap(([state]) =>
      inputs.flatMap((input) => {
        const next = transition(state, input);
        return next.kind === "deny" ? [`${state}: ${next.reason}`] : [];
      }),
    );
    expect([...new Set(reasons)]).toEqual([
      "created: it was never booted",
      "stopping: it is stopping",
      "stopped: it has stopped",
      "failed: it has failed",
    ]);
  });

  it("never leaves stopped or failed", () => {
    for (const state of ["stopped", "failed"] as const) {
      expect(inputs.map((input) => transition(state, input).kind)).not.toContain("move");
    }
  });
});
