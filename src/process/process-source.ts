/** What can be known of processes, whatever the platform tells it by. */

export interface ProcessIdentity {
  readonly pid: number;
  /**
   * clock ticks after boot at which it started (field 22 of /proc/PID/stat); on macOS seconds since 1970;
   * null where neither can be had
   */
  readonly startTicks: number | null;
}

/** `unknown` where the platform does not say whether a process is stopped */
export type ProcessState = "running" | "stopped" | "gone" | "unknown";

export interface ProcessSource {
  readonly identify: (pid: number) => ProcessIdentity | undefined;
  readonly stateOf: (process: ProcessIdentity) => ProcessState;
  /** the process and all it started that is still there, each before what it started */
  readonly family: (first: ProcessIdentity) => readonly ProcessIdentity[];
  /** the command line as one word, for its words cannot be told apart */
  readonly command: (pid: number) => readonly string[];
  readonly findByArgument: (text: string) => readonly number[];
}
