/** Two network namespaces of the host with one cable between them, which a test unplugs. */
import { spawnSync } from "node:child_process";

export interface NetworkPair extends Disposable {
  /** what a program is started with to be on one side, or the other */
  readonly prefixes: readonly [readonly string[], readonly string[]];
  /** of the other side */
  readonly address: string;
  /** for a shell */
  readonly unplugCommand: string;
  readonly unplug: () => void;
  readonly plugIn: () => void;
}

/** The pair, or why it cannot be made. */
export function createNetworkPair(): NetworkPair | string {
  const name = `lg${process.pid}`;
  const [one, other] = [`${name}a`, `${name}b`];
  const remove = (): void => {
    for (const each of [one, other]) spawnSync("ip", ["netns", "del", each]);
  };
  const commands = [
    `netns add ${one}`,
    `netns add ${other}`,
    `link add ${one} netns ${one} type veth peer name ${other} netns ${other}`,
    `-n ${one} addr add 192.0.2.1/24 dev ${one}`,
    `-n ${other} addr add 192.0.2.2/24 dev ${other}`,
    `-n ${one} link set ${one} up`,
    `-n ${other} link set ${other} up`,
  ];
  for (const command of commands) {
    const failure = ip(command);
    if (failure === undefined) continue;
    remove();
    return failure;
  }
  const inside = (space: string): readonly string[] => ["nsenter", `--net=/run/netns/${space}`];
  const unplug = `-n ${one} link set ${one} down`;
  return {
    prefixes: [inside(one), inside(other)],
    address: "192.0.2.2",
    unplugCommand: `ip ${unplug}`,
    unplug: () => must(unplug),
    plugIn: () => must(`-n ${one} link set ${one} up`),
    [Symbol.dispose]: remove,
  };
}

function ip(command: string): string | undefined {
  const { status, stderr, error } = spawnSync("ip", command.split(" "), { encoding: "utf8" });
  if (status === 0) return undefined;
  return `ip ${command}: ${error?.message ?? stderr.trim()}`;
}

function must(command: string): void {
  const failure = ip(command);
  if (failure !== undefined) throw new Error(failure);
}
