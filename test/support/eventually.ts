/** Waits for what the kernel gives no event for: looks again and again, up to a deadline. */
import { setTimeout as sleep } from "node:timers/promises";

/** The first value that is not `undefined` or `false`. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 10_000,
): Promise<T> {
  const endsAt = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endsAt) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}
