/** The whole program as a person starts it. */
import { runProgram } from "../../process/run-program.ts";
import { interleave, timed } from "../interleave.ts";
import type { Measurement } from "../measurement.ts";

export const cliRun: Measurement = {
  name: "cli-run",
  group: "cli",
  unit: "ms",
  what: "luminaguard run --no-workspace -- true",
  goal: { kind: "at-most", value: 450 },
  method:
    "The program is started and waited for: Node, our code, a clone, the command, the clone's end.",
  run: (context, samples, signal) =>
    interleave(context, samples, signal, () =>
      timed(() => context.runCli(["run", "--no-workspace", "--", "true"], signal)),
    ),
};

export const cliVersion: Measurement = {
  name: "cli-version",
  group: "cli",
  unit: "ms",
  what: "luminaguard --version",
  floorIs: "node -e 0",
  goal: { kind: "ratio-at-most", ratio: 2 },
  method: "Both programs are started in turn and waited for.",
  run: (context, samples, signal) =>
    interleave(
      context,
      samples,
      signal,
      () => timed(() => context.runCli(["--version"], signal)),
      () => timed(() => runProgram(process.execPath, ["-e", "0"], { signal })),
    ),
};
