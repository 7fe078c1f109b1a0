/**
 * Descriptors that whoever started this process left open in it. A child would get them too: Node
 * marks what it opens itself and the first few, and leaves the rest.
 */
import { openSync, readFileSync, readdirSync } from "node:fs";

const closeOnExec = 0o2000000;

let nullDevice: number | undefined;
let inherited: readonly number[] | undefined;

/**
 * What a child's `stdio` has to say so that it inherits none of them: the null device in their place.
 * @param stdio what the child is to get, from descriptor 0 on
 */
export function closeInherited<T>(stdio: readonly T[]): (T | "ignore" | number)[] {
  inherited ??= listInherited();
  const all: (T | "ignore" | number)[] = [...stdio];
  for (const descriptor of inherited) {
    if (descriptor < stdio.length) continue; // replaced by the child's own
    while (all.length < descriptor) all.push("ignore");
    nullDevice ??= openSync("/dev/null", "r");
    all[descriptor] = nullDevice;
  }
  return all;
}

/** Nothing new is inherited after the start, so this is looked up once. */
function listInherited(): readonly number[] {
  try {
    const all = readdirSync("/proc/self/fd").map(Number);
    return all.filter((descriptor) => descriptor > 2 && isInherited(descriptor));
  } catch {
    return []; // no /proc on this platform
  }
}

function isInherited(descriptor: number): boolean {
  try {
    const facts = readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1");
    const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(facts)?.[1] ?? "0", 8);
    return (flags & closeOnExec) === 0;
  } catch {
    return false; // the listing's own, which is closed again
  }
}
