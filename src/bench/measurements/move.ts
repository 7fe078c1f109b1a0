/** A machine that goes from one set of folders to another, over TLS on loopback. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { LuminaGuard } from "../../runtime/luminaguard.ts";
import { renderAddress } from "../../vm/migration/tls-peer.ts";
import type { BenchContext } from "../bench-context.ts";
import { interleave } from "../interleave.ts";
import type { Measurement } from "../measurement.ts";

const memoryMib = 128;

export const movePause: Measurement = {
  name: "move-pause",
  group: "vm",
  unit: "ms",
  what: "a live move on loopback: how long the machine stands still",
  goal: { kind: "at-most", value: 200 },
  method: `An idle machine with ${memoryMib} MiB, held by its supervisor, goes to another user's folders on this host over TLS with pinned keys, as vm migrate and vm receive do it. Counted is from its stop until the sender hears that it runs there.`,
  run: async (context, samples, signal) => {
    await using here = await openHost(context, "here");
    await using there = await openHost(context, "there");
    const send = (): Promise<number> => moveOnce(here, there, signal);
    return await interleave(context, samples, signal, send);
  },
};

/** As another user of this host, or another host, would have it: only images and templates are shared. */
async function openHost({ lumina, env, folder }: BenchContext, name: string): Promise<LuminaGuard> {
  const own = join(folder, name);
  const [stateDir, runtimeDir] = [join(own, "state"), join(own, "run")];
  for (const path of [own, stateDir, runtimeDir]) await mkdir(path, { mode: 0o700 });
  const config = { ...lumina.config, stateDir, runtimeDir };
  return new LuminaGuard({ config, toolEnvironment: env, dryRun: false });
}

async function moveOnce(
  here: LuminaGuard,
  there: LuminaGuard,
  signal: AbortSignal,
): Promise<number> {
  using receiver = await there.moves.receive({
    address: { host: "127.0.0.1", port: 0 },
    allow: [],
    onEvent: () => undefined,
  });
  const { kept } = await here.kept.start({ memoryMib, vcpus: 1 }, { signal });
  try {
    const { address, fingerprint: pin, code } = receiver;
    const wish = { to: renderAddress(address), pin, code };
    const { pauseMs } = await here.moves.migrate(kept, wish, { signal });
    return pauseMs;
  } finally {
    await removeAll(here);
    await removeAll(there);
  }
}

async function removeAll({ kept }: LuminaGuard): Promise<void> {
  for (const each of await kept.list()) await kept.remove(each);
}
