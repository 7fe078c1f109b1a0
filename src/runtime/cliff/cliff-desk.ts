/** The cliff over this person's ledger and policy. Opened when something asks, and then once. */
import type { Cliff } from "../../approvals/cliff.ts";
import type { Approval } from "../../approvals/approval.ts";
import type { PolicyEngine } from "../../approvals/policy.ts";
import type { Config } from "../../config/config.ts";
import { LuminaGuardError } from "../../errors.ts";
import { isOwnerRunning, ownerName } from "../../process/owner-name.ts";
import { removeAbandonedEdits } from "../../process/run-editor.ts";
import type { OpenLedger } from "../ledger/open-ledger.ts";
import type { PolicyDesk, PolicyInForce } from "./policy-desk.ts";

export interface OpenCliff extends Pick<OpenLedger, "ledger" | "operands"> {
  readonly cliff: Cliff;
  readonly policy: PolicyInForce;
  /** what a process that is gone was doing when it ended: nobody knows how far it came */
  readonly unknown: readonly Approval[];
}

export interface CliffDeskParts {
  readonly config: Pick<Config, "approvalTimeoutS" | "runtimeDir">;
  readonly policies: PolicyDesk;
  /** the ledger of this process; its owner closes it */
  readonly openLedger: () => Promise<OpenLedger>;
}

export class CliffDesk {
  readonly #parts: CliffDeskParts;

  constructor(parts: CliffDeskParts) {
    this.#parts = parts;
  }

  /**
   * With a workspace, its repository's policy holds beside the person's own, and can only tighten it.
   * What processes that are gone left open is ended first. Raises POLICY_INVALID or STORE_FAILED.
   */
  async open(workspaceRoot?: string): Promise<OpenCliff> {
    const { config, policies, openLedger } = this.#parts;
    const [{ ledger, key, operands }, policy, { Cliff }] = await Promise.all([
      openLedger(),
      policies.open(workspaceRoot),
      import("../../approvals/cliff.ts"),
      removeAbandonedEdits(config.runtimeDir),
    ]);
    const timeoutMs = config.approvalTimeoutS * 1000;
    const cliff = new Cliff({ ledger, engine: policy, key, owner: ownerName(), timeoutMs });
    const unknown = await cliff.recover((owner) => Promise.resolve(isOwnerRunning(owner)));
    return { cliff, ledger, operands, policy, unknown };
  }

  /** How often a person was asked in a run. Raises STORE_FAILED. */
  async countPrompts(run: string): Promise<PromptCount> {
    const { ledger } = await this.#parts.openLedger();
    const answered = ledger
      .list({ run, limit: Infinity })
      .filter(({ verdict, decision }) => verdict.answer === "ask" && decision !== null);
    return { asked: ledger.countPrompts(run), answered: answered.length };
  }

  /**
   * Withdraws every card and every approval that has not begun; gives how many. Asks no policy, so that a
   * STOP does not fail over one that cannot be read.
   */
  async withdrawAll(reason: string): Promise<number> {
    const [{ ledger, key }, { Cliff }] = await Promise.all([
      this.#parts.openLedger(),
      import("../../approvals/cliff.ts"),
    ]);
    const engine = denyingEngine;
    return new Cliff({ ledger, engine, key, owner: ownerName(), timeoutMs: 0 }).cancel(reason);
  }
}

/** Cards of one run. */
export interface PromptCount {
  /** that a person could have answered; one that the person edited is still the same */
  readonly asked: number;
  /** that a person did answer */
  readonly answered: number;
}

const denyingEngine: PolicyEngine = {
  version: "none",
  judge: () => ({ answer: "deny", rules: [], reason: "everything is being stopped" }),
  resourceOf: () => "",
  writeGrant: () => {
    throw new LuminaGuardError("GRANT_REFUSED", "everything is being stopped");
  },
};
