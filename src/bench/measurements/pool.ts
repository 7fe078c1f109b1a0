/** Machines made ahead: what a claim costs, and when its machine has printed something. */
import { setTimeout as sleep } from "node:timers/promises";
import type { BenchContext } from "../bench-context.ts";
import { LuminaGuardError } from "../../errors.ts";
import { firstOutput } from "../first-output.ts";
import type { BareMachine } from "../floor/bare-machine.ts";
import { interleave, timed } from "../interleave.ts";
import type { Measurement, Series } from "../measurement.ts";
import type { Machine } from "../../runtime/machine.ts";
import type { Pool } from "../../vm/pool.ts";

const poolSize = 2;
const lookAgainMs = 5;
const fillTimeoutMs = 60_000;

export const poolClaim: Measurement = {
  name: "pool-claim",
  group: "pool",
  unit: "ms",
  what: "claim of a waiting machine",
  goal: { kind: "at-most", value: 2 },
  method: `A pool of ${poolSize} is full; one claim is timed. The next waits until the pool is full again.`,
  run: (context, samples, signal) =>
    withPool(context, signal, (claim) =>
      interleave(context, samples, signal, async () => {
        let took = 0;
        await using machine = await claim((ms) => {
          took = ms;
        });
        await firstOutput(machine, signal);
        return took;
      }),
    ),
};

export const poolExec: Measurement = {
  name: "pool-exec",
  group: "pool",
  unit: "ms",
  what: "pool claim to the first exec's output",
  floorIs: "echo in a waiting machine with a one-byte agent",
  goal: { kind: "at-most", value: 15 },
  method: `A pool of ${poolSize} is full; a machine is claimed and runs \`echo ok\`, until the output's first byte; the pool begins to make the next 50 ms after the claim. The floor is the same echo in a restored machine with a one-byte agent that waits.`,
  run: async (context, samples, signal) => {
    const { floor, notes } = await context.floor(signal);
    const bare = await floor?.clone(context.memoryMib, signal);
    try {
      const series = await withPool(context, signal, (claim) =>
        interleave(
          context,
          samples,
          signal,
          () => timeClaimed(claim, signal),
          bare && echoOf(bare, signal),
        ),
      );
      return { ...series, notes };
    } finally {
      await bare?.stop();
    }
  },
};

type Claim = (onClaimed?: (ms: number) => void) => Promise<Machine>;

async function timeClaimed(claim: Claim, signal: AbortSignal): Promise<number> {
  let claimedMs = 0;
  await using machine = await claim((ms) => {
    claimedMs = ms;
  });
  const startedAt = performance.now();
  return claimedMs + (await firstOutput(machine, signal)) - startedAt;
}

function echoOf(bare: BareMachine, signal: AbortSignal): () => Promise<number> {
  return () => timed(() => bare.echo(signal));
}

async function withPool(
  context: BenchContext,
  signal: AbortSignal,
  measure: (claim: Claim) => Promise<Series>,
): Promise<Series> {
  await using pool = context.lumina.pool(poolSize, { memoryMib: context.memoryMib });
  return await measure(async (onClaimed) => {
    await untilFull(pool, signal);
    const startedAt = performance.now();
    const machine = await pool.claim(signal);
    onClaimed?.(performance.now() - startedAt);
    return machine;
  });
}

async function untilFull(pool: Pool<Machine>, signal: AbortSignal): Promise<void> {
  const endsAt = performance.now() + fillTimeoutMs;
  while (pool.ready < poolSize) {
    if (performance.now() > endsAt) throw new LuminaGuardError("TIMEOUT", "the pool stays empty");
    await sleep(lookAgainMs, undefined, { signal });
  }
}
