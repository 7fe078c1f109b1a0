/** The policy in force: a preset, the person's own files over it, and what a repository forbids beside. */
import type { PolicyEngine } from "../../approvals/policy.ts";
import type { Config } from "../../config/config.ts";
import type { PolicyFile } from "../../policy/policy-file.ts";
import type { Rule } from "../../policy/rule.ts";

/** What the cliff asks, and what a person may see of it. */
export interface PolicyInForce extends PolicyEngine {
  readonly rules: readonly Rule[];
}

export interface TrialOptions {
  /** paths of policy files to judge by as well, as if they were in force
   * @default none */
  readonly more?: readonly string[] | undefined;
}

export class PolicyDesk {
  readonly #config: Pick<Config, "configDir" | "policyPreset">;

  constructor(config: Pick<Config, "configDir" | "policyPreset">) {
    this.#config = config;
  }

  /**
   * The policy as it is on disk now. A workspace's own policy is read from its root and can only
   * tighten. Raises POLICY_INVALID: where policy cannot be read, nothing is allowed.
   */
  async open(workspaceRoot?: string, { more = [] }: TrialOptions = {}): Promise<PolicyInForce> {
    // loaded here: a run that changes nothing asks nothing
    const [{ loadCedar }, { CedarEngine }, { readSchema }] = await Promise.all([
      import("../../policy/cedar.ts"),
      import("../../policy/engine.ts"),
      import("../../policy/shipped.ts"),
    ]);
    const [cedar, schema, files, tried] = await Promise.all([
      loadCedar(),
      readSchema(),
      this.readFiles(workspaceRoot),
      this.readNamed(more),
    ]);
    return new CedarEngine(cedar, { schema, files: [...files, ...tried] });
  }

  /** Files by their paths; one called as a repository's is one. Raises POLICY_INVALID. */
  async readNamed(paths: readonly string[]): Promise<readonly PolicyFile[]> {
    const { readPolicyFile } = await import("../../policy/read-policies.ts");
    return Promise.all(paths.map((path) => readPolicyFile(path, { name: path })));
  }

  /** Those in force. Raises POLICY_INVALID. */
  async readFiles(workspaceRoot: string | undefined): Promise<readonly PolicyFile[]> {
    const { readOwnPolicies, readRepositoryPolicy } = await import("../../policy/read-policies.ts");
    const { readPreset } = await import("../../policy/shipped.ts");
    const [preset, own, repository] = await Promise.all([
      readPreset(this.#config.policyPreset),
      readOwnPolicies(this.#config.configDir),
      workspaceRoot === undefined ? undefined : readRepositoryPolicy(workspaceRoot),
    ]);
    return [preset, ...own, ...(repository === undefined ? [] : [repository])];
  }
}
