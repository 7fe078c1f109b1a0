/** What an asker is told in the end. */
import type { Approval } from "./approval.ts";

export interface Allowed {
  readonly outcome: "allowed";
  /** to be given to `execute`, once */
  readonly approval: Approval;
}

export interface Refused {
  /**
   * `denied`: by policy; `rejected`: by a person; `unanswerable`: nobody could be asked;
   * `expired`: nobody answered in time; `cancelled`: the asker or a STOP withdrew it
   */
  readonly outcome: "denied" | "rejected" | "unanswerable" | "expired" | "cancelled";
  readonly approval: Approval;
  /** for the asker, in a line */
  readonly reason: string;
  /** the person wants the asker's machine frozen */
  readonly freeze: boolean;
}

export type CliffVerdict = Allowed | Refused;

export function toVerdict(approval: Approval): CliffVerdict {
  const { state, decision, verdict, outcome } = approval;
  if (state === "approved") return { outcome: "allowed", approval };
  const reason = decision === null || decision.reason === "" ? outcome : decision.reason;
  const freeze = decision?.freeze ?? false;
  return { outcome: refusalOf(), approval, reason, freeze };

  function refusalOf(): Refused["outcome"] {
    if (state === "expired") return "expired";
    if (state !== "rejected") return "cancelled";
    if (decision !== null) return "rejected";
    return verdict.answer === "deny" ? "denied" : "unanswerable";
  }
}
