/**
 * The life of a machine as a pure table. Asking twice is harmless (ignore); asking for what can no
 * longer happen is refused (deny); `gone` without a request means failed.
 *
 *   created ──boot──▶ booting ──booted──▶ running
 *      │                 │ stop              │ stop
 *      └──stop──▶ stopped ◀──gone── stopping ◀┘        booting, running ──gone──▶ failed
 */
export type VmState = "created" | "booting" | "running" | "stopping" | "stopped" | "failed";
export type VmInput = "boot" | "booted" | "stop" | "gone";

export type Transition =
  | { readonly kind: "move"; readonly to: VmState }
  | { readonly kind: "ignore" }
  | { readonly kind: "deny"; readonly reason: string };

const to = (state: VmState): Transition => ({ kind: "move", to: state });
const deny = (reason: string): Transition => ({ kind: "deny", reason });
const ignore: Transition = { kind: "ignore" };

const table: Readonly<Record<VmState, Readonly<Record<VmInput, Transition>>>> = {
  created: {
    boot: to("booting"),
    booted: deny("it was never booted"),
    stop: to("stopped"),
    gone: deny("it was never booted"),
  },
  booting: { boot: ignore, booted: to("running"), stop: to("stopping"), gone: to("failed") },
  running: { boot: ignore, booted: ignore, stop: to("stopping"), gone: to("failed") },
  stopping: { boot: deny("it is stopping"), booted: ignore, stop: ignore, gone: to("stopped") },
  stopped: {
    boot: deny("it has stopped"),
    booted: deny("it has stopped"),
    stop: ignore,
    gone: ignore,
  },
  failed: {
    boot: deny("it has failed"),
    booted: deny("it has failed"),
    stop: ignore,
    gone: ignore,
  },
};

export function transition(state: VmState, input: VmInput): Transition {
  return table[state][input];
}
