/**
 * The rate of the host's time-stamp counter. An emulated x86 machine counts the host's ticks and is told
 * their rate at boot; told wrong, its clock runs fast or slow for its whole life. The kernel knows
 * the rate and does not publish it, so what it says of the processor is checked by a machine's clock.
 */
import { readFile } from "node:fs/promises";

/** plausible: enough to boot by */
const anyKhz = 2_000_000;
/** a reading's own error stays far below this */
const toleranceRatio = 0.005;

/** What the kernel says of the processor: the counter's rate, unless its speed is being scaled. */
export async function guessTscKhz(): Promise<number> {
  const cpuinfo = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const megahertz = Number(/^cpu MHz\s*:\s*([\d.]+)/m.exec(cpuinfo)?.[1] ?? Number.NaN);
  const isPlausible = megahertz > 100 && megahertz < 100_000;
  return isPlausible ? Math.round(megahertz * 1000) : anyKhz;
}

/**
 * The rate after a machine that was told `guessKhz` kept time at `clockRate` seconds a second. A
 * guess that was right to a reading's error is kept: it is the more exact of the two.
 */
export function correctTscKhz(guessKhz: number, clockRate: number): number {
  if (!Number.isFinite(clockRate) || clockRate <= 0) return guessKhz;
  return Math.abs(clockRate - 1) <= toleranceRatio ? guessKhz : Math.round(guessKhz * clockRate);
}
