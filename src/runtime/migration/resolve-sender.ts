/** The sender's side of a move that was cut off at its end: the other side is asked, and what it says decides. */
import { LuminaGuardError, isLuminaGuardError } from "../../errors.ts";
import type { KeptRecord } from "../../vm/kept/kept-record.ts";
import { FrameLink } from "../../vm/migration/frame-link.ts";
import { stepSender } from "../../vm/migration/handover.ts";
import type { SenderStep } from "../../vm/migration/handover.ts";
import { writeJournal } from "../../vm/migration/journal.ts";
import type { SenderJournal } from "../../vm/migration/journal.ts";
import { openHostKey } from "../../vm/migration/key-pair.ts";
import { receiverSchema } from "../../vm/migration/messages.ts";
import type { ReceiverMessage, SenderMessage } from "../../vm/migration/messages.ts";
import { dialPeer, parseAddress } from "../../vm/migration/tls-peer.ts";
import { fromPlainError } from "../kept/supervisor-protocol.ts";
import type { Resolved, ResolveRequest } from "./move-words.ts";
import { resolveFile } from "./resolve-file.ts";

export interface ResolveParts {
  readonly folder: string;
  readonly stateDir: string;
  readonly record: Pick<KeptRecord, "id" | "name">;
  readonly signal?: AbortSignal | undefined;
}

export interface SenderResolution {
  readonly answer: Resolved;
  readonly journal: SenderJournal;
}

/** the machine is let go on there, and greeted, in `ms` */
const answerTimeoutMs = 60_000;

/** Raises MIGRATION_IN_DOUBT where nothing can be decided yet, saying why. */
export async function resolveAtSender(
  parts: ResolveParts,
  journal: SenderJournal,
  wish: ResolveRequest,
): Promise<SenderResolution> {
  if (journal.phase !== "given") {
    throw new LuminaGuardError("USAGE", `nothing is in doubt: the move is at "${journal.phase}"`);
  }
  const settle = async (step: SenderStep): Promise<SenderJournal> => {
    const phase = stepSender(journal.phase, step, journal.proofHash);
    const next: SenderJournal = { ...journal, phase };
    await writeJournal(parts.folder, next);
    return next;
  };
  const here = { kind: "resolved", where: "here", token: null } as const;
  const there = { kind: "resolved", where: "there", token: null } as const;
  if (journal.pin === null) {
    const answer = wish.where === "here" ? here : there;
    return { answer, journal: await settle(await resolveFile(parts, journal, wish)) };
  }
  const peer = { to: journal.to, pin: journal.pin };
  if (wish.where === "here" && wish.token !== null) {
    return { answer: here, journal: await settle({ proof: wish.token }) };
  }
  if (wish.where === "here" && wish.otherIsGone) {
    return { answer: here, journal: await settle("other is gone") };
  }
  const { id, token } = journal;
  const question: SenderMessage =
    wish.where === "here" ? { kind: "withdraw", id } : { kind: "commit", id, token };
  const said = await ask(parts, peer, question).catch((error: unknown) => {
    if (wish.where === "here") throw cannotAsk(journal, error);
    return undefined;
  });
  if (said === undefined) return { answer: { ...there, token }, journal };
  if (said.kind === "arrived") return { answer: there, journal: await settle("it arrived") };
  if (said.kind === "declined") {
    return { answer: here, journal: await settle({ proof: said.proof }) };
  }
  throw new LuminaGuardError("WIRE_BROKEN", `the other host answered "${said.kind}"`);
}

async function ask(
  { stateDir, signal }: ResolveParts,
  { to, pin }: { readonly to: string; readonly pin: string },
  question: SenderMessage,
): Promise<ReceiverMessage> {
  const own = await openHostKey(stateDir);
  const link = new FrameLink(await dialPeer(parseAddress(to), pin, own, signal));
  try {
    await link.send(question);
    const options = { timeoutMs: answerTimeoutMs, what: "word about the machine", signal };
    const said = await link.receive(receiverSchema, options);
    if (said.kind === "refused") throw fromPlainError(said);
    return said;
  } finally {
    await link.end();
  }
}

function cannotAsk({ to }: SenderJournal, cause: unknown): LuminaGuardError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const hint = isLuminaGuardError(cause) ? cause.hint : undefined;
  return new LuminaGuardError(
    "MIGRATION_IN_DOUBT",
    `${to} may have the machine, and does not say: ${why}`,
    {
      hint:
        hint === undefined || hint.includes("vm receive")
          ? "there: luminaguard vm receive, or luminaguard vm migrate NAME --resolve --there, whose token is for here; --other-is-gone if it can never run there again"
          : hint,
      cause,
    },
  );
}
