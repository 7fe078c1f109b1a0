/**
 * What is known of processes where there is no /proc: macOS's `ps`. Its rows are parsed, so it is asked for
 * columns that need no guess (ps(1)); `lstart` is the start time to the second, which stands for the
 * start ticks of Linux. Linux's own `ps` answers the same, which is how this is tested.
 */
import { spawnSync } from "node:child_process";
import type { ProcessIdentity, ProcessSource } from "./process-source.ts";

interface Row extends ProcessIdentity {
  readonly parent: number;
  readonly state: string;
}

/** @param ask gives what `ps` prints for these arguments */
export function createPsSource(ask: (args: readonly string[]) => string = askPs): ProcessSource {
  const columns = ["-o", "pid=,ppid=,stat=,lstart="];
  const one = (pid: number): Row | undefined => {
    return parseRows(ask([...columns, "-p", String(pid)])).find((row) => row.pid === pid);
  };
  const same = ({ pid, startTicks }: ProcessIdentity): Row | undefined => {
    const row = one(pid);
    return row?.startTicks === startTicks ? row : undefined;
  };
  return {
    identify: (pid) => identityOf(one(pid)),
    stateOf: (process) => {
      const row = same(process);
      if (row === undefined) return "gone";
      return row.state.startsWith("T") ? "stopped" : "running";
    },
    family: (first) => {
      const rows = parseRows(ask([...columns, "-ax"]));
      const found = rows.filter(({ pid, startTicks }) => {
        return pid === first.pid && startTicks === first.startTicks;
      });
      for (const each of found) found.push(...rows.filter(({ parent }) => parent === each.pid));
      return found.map(({ pid, startTicks }) => ({ pid, startTicks }));
    },
    command: (pid) => {
      const line = ask(["-ww", "-o", "command=", "-p", String(pid)]).trimEnd();
      return line === "" ? [] : [line];
    },
    findByArgument: (text) => {
      const lines = ask(["-ww", "-ax", "-o", "pid=,command="]).split("\n");
      return lines.filter((line) => line.includes(text)).map((line) => Number.parseInt(line, 10));
    },
  };
}

/** A zombie has ended: it only waits for its parent to hear of it. */
function parseRows(text: string): Row[] {
  return text.split("\n").flatMap((line) => {
    const [, pid, parent, state = "", started = ""] =
      /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S.*\d{4})\s*$/.exec(line) ?? [];
    const startedAtMs = Date.parse(`${started} UTC`);
    if (pid === undefined || state.startsWith("Z") || Number.isNaN(startedAtMs)) return [];
    const startTicks = startedAtMs / 1000;
    return [{ pid: Number(pid), parent: Number(parent), state, startTicks }];
  });
}

function identityOf(row: Row | undefined): ProcessIdentity | undefined {
  return row && { pid: row.pid, startTicks: row.startTicks };
}

const answerTimeoutMs = 5_000;
const answerBytesMax = 16 * 1024 ** 2;

/** Nothing for processes that are not there, which `ps` says by its exit code. */
function askPs(args: readonly string[]): string {
  const { stdout } = spawnSync("/bin/ps", args, {
    env: { LC_ALL: "C", TZ: "UTC" },
    stdio: ["ignore", "pipe", "ignore"],
    encoding: "utf8",
    timeout: answerTimeoutMs,
    maxBuffer: answerBytesMax,
  });
  // not even a string where it could not be started
  return typeof stdout === "string" ? stdout : "";
}

/** Where this process runs: `undefined` where /proc is read instead, or where there is neither. */
export const psSource: ProcessSource | undefined =
  process.platform === "darwin" ? createPsSource() : undefined;
