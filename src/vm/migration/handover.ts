/**
 * Who may run a machine that goes from one host to another. Pure; each phase is on disk before anything
 * that follows from it is done. The sender makes a token and the receiver a proof, both secret, and each
 * tells the other the SHA-256 of its own first.
 *
 *   sender    copying → given → gone          receiver   copying → ready → taken
 *                 ↘ stays ↙                                   ↘ declined ↙
 *
 * The receiver runs it only with the token, which the sender tells only once it can no longer go back by
 * itself. The sender goes back from there only with the proof, which the receiver tells only once it can no
 * longer take it. Or a person says that the other side is gone: nothing but that can make two of one.
 */
import { createHash, randomBytes } from "node:crypto";
import { LuminaGuardError } from "../../errors.ts";

export type SenderPhase = "copying" | "given" | "gone" | "stays";
export type ReceiverPhase = "copying" | "ready" | "taken" | "declined";

/** what brings one side on: what it did, what the other showed, or what a person vouches for */
export type SenderStep =
  | "give"
  | "it arrived"
  | "break off"
  | { readonly proof: string }
  | "other is gone"
  /** out of a file: nothing there will ever say that it arrived */
  | "let it go";
export type ReceiverStep = "all is here" | "decline" | { readonly token: string } | "other is gone";

export function makeSecret(): { readonly secret: string; readonly hash: string } {
  const secret = randomBytes(32).toString("hex");
  return { secret, hash: hashSecret(secret) };
}

export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Whether the machine may run at the sender. */
export function runsAtSender(phase: SenderPhase): boolean {
  return phase === "copying" || phase === "stays";
}

/** Whether the machine may run at the receiver. */
export function runsAtReceiver(phase: ReceiverPhase): boolean {
  return phase === "taken";
}

/** Raises MIGRATION_IN_DOUBT where the step may not be taken. */
export function stepSender(
  phase: SenderPhase,
  step: SenderStep,
  proofHash: string | null,
): SenderPhase {
  if (phase === "copying") {
    if (step === "give") return "given";
    if (step === "break off") return "stays";
  }
  if (phase === "given") {
    if (step === "it arrived" || step === "let it go") return "gone";
    if (step === "other is gone") return "stays";
    if (typeof step === "object" && hashSecret(step.proof) === proofHash) return "stays";
  }
  throw refusal("sends", phase, step);
}

/** Raises MIGRATION_IN_DOUBT where the step may not be taken. */
export function stepReceiver(
  phase: ReceiverPhase,
  step: ReceiverStep,
  tokenHash: string,
): ReceiverPhase {
  if (step === "decline" && phase !== "taken") return "declined";
  if (step === "all is here" && phase === "copying") return "ready";
  if (step === "other is gone" && phase === "ready") return "taken";
  const isGiven = typeof step === "object" && hashSecret(step.token) === tokenHash;
  if (isGiven && (phase === "ready" || phase === "taken")) return "taken"; // it may be told twice
  throw refusal("receives", phase, step);
}

function refusal(role: string, phase: string, step: SenderStep | ReceiverStep): LuminaGuardError {
  const what = typeof step === "object" ? "that token" : `"${step}"`;
  return new LuminaGuardError(
    "MIGRATION_IN_DOUBT",
    `the side that ${role} the machine is at "${phase}" and cannot go on with ${what}`,
    { details: { phase } },
  );
}
