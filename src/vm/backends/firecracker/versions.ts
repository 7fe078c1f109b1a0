/**
 * What differs between the versions of Firecracker, in one table. Source: its CHANGELOG, and the API
 * description of each release (src/firecracker/swagger/firecracker.yaml).
 */
import { atLeast } from "../../../base/version.ts";

/** oldest version whose API is the one spoken here */
export const versionMin = "1.10.0";

const since = {
  /** other TAP devices at a snapshot's load */
  networkOverrides: "1.12.0",
  /** snapshots are no preview any more */
  stableSnapshots: "1.13.0",
  /** `--enable-pci` */
  pci: "1.13.0",
  /** PUT /serial */
  serial: "1.14.0",
  /** PUT /pmem/{id} */
  pmem: "1.14.0",
  /** another socket for vsock at a snapshot's load */
  vsockOverride: "1.16.0",
  /** whether a loaded machine's kvm-clock is moved to the host's time; 1.14.4 and 1.15.1 have it too */
  clockRealtime: "1.16.0",
} as const;

export type Capability = keyof typeof since;
export type Capabilities = Readonly<Record<Capability, boolean>>;

/** What a release can do. */
export function capabilitiesOf(version: string): Capabilities {
  const can = Object.entries(since).map(([name, least]) => [name, atLeast(version, least)]);
  return Object.freeze(Object.fromEntries(can) as Record<Capability, boolean>);
}
