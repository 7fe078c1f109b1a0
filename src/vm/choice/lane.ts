/** What the machines of one way to run them can do, and how far that was proven: for people who choose. */

export interface Capabilities {
  /** machines after the first of an image are clones of a frozen one */
  readonly templates: boolean;
  /** a running machine can be saved, forked and brought back */
  readonly snapshots: boolean;
  /** it has a network card where a person approves one */
  readonly networkCard: boolean;
}

/**
 * `ci`: real machines in every run of the tests. `vendor`: what is said to the hypervisor is read by the
 * vendor's own parser or refused as its specification refuses. `contract`: by our own tests only.
 */
export type ProofKind = "ci" | "vendor" | "contract";

export interface Proof {
  readonly kind: ProofKind;
  /** what was run, and what no one has yet */
  readonly what: string;
  /** the tests that do it, below `test/` */
  readonly tests: readonly string[];
}

export interface Lane {
  readonly platform: NodeJS.Platform;
  readonly architecture: "x64" | "arm64";
  readonly backend: string;
  /** what runs the machine's code: tcg, kvm, hvf, whpx, vz */
  readonly accelerator: string;
  readonly can: Capabilities;
  readonly proof: Proof;
}
