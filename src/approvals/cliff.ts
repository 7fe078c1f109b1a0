/**
 * The Approval Cliff. An effect is asked for with a draft; policy answers, or a person on a card; what
 * was shown is executed at most once, or not at all. Everything is recorded before it happens.
 */
import { LuminaGuardError } from "../errors.ts";
import { writeAnswer } from "./answer.ts";
import type { Answer } from "./answer.ts";
import type { Approval } from "./approval.ts";
import { decisionEntry, envelopeEntry } from "./audit-entries.ts";
import { buildEnvelope } from "./build-envelope.ts";
import type { EnvelopeGround } from "./build-envelope.ts";
import type { CliffParts } from "./cliff-parts.ts";
import { toVerdict } from "./cliff-verdict.ts";
import type { CliffVerdict } from "./cliff-verdict.ts";
import { editApproval, followEdits } from "./edit.ts";
import type { Edit } from "./edit.ts";
import type { ActionEnvelope, EnvelopeDraft } from "./envelope.ts";
import { watchApprovals } from "./events.ts";
import type { CliffEvent } from "./events.ts";
import { Begun, executeApproval } from "./execution.ts";
import { judgeEnvelope } from "./judge.ts";
import type { Judgement } from "./judge.ts";
import {
  alreadyDecided,
  findAnswerable,
  findPending,
  moveApproval,
  nobodyAnswered,
} from "./move-approval.ts";
import { openAnswered, openApproval } from "./open-approval.ts";
import { strictest } from "./policy.ts";
import type { GrantRule, PolicyVerdict } from "./policy.ts";
import { recoverApprovals } from "./recover-approvals.ts";
import { makeShortId } from "./short-id.ts";
import { Waiters } from "./waiters.ts";

export interface RequestOptions {
  /** rules of this one request, such as the person's own `--apply always` */
  readonly rules?: readonly GrantRule[];
  /** the asker's own word, such as `--apply never`: the stricter of it and policy counts */
  readonly limit?: PolicyVerdict | undefined;
  /** id a person can type, when what is asked for has one already */
  readonly shortId?: string | undefined;
  /** called when it has become a card, for the face that asks about this one */
  readonly onPending?: ((card: Approval) => void) | undefined;
  /** aborting withdraws the request */
  readonly signal?: AbortSignal | undefined;
}

/** grants can be used up by others between judging and writing; then it is judged anew */
const judgeRoundsMax = 5;

export class Cliff {
  readonly #parts: CliffParts;
  readonly #waiters: Waiters;
  /** rules of requests that are not executed yet */
  readonly #rules = new Map<string, readonly GrantRule[]>();
  readonly #begun = new Begun();

  constructor(parts: CliffParts) {
    this.#parts = parts;
    this.#waiters = new Waiters(parts.ledger);
  }

  /**
   * Asks whether it may happen. Resolves at once when policy knows or nobody can be asked, else when a
   * person answered or the card expired: with what a person edited it into, where one did. Raises ENVELOPE_INVALID, STORE_FAILED, or the signal's reason.
   */
  async request(draft: EnvelopeDraft, options: RequestOptions = {}): Promise<CliffVerdict> {
    const { rules = [], shortId = makeShortId(), limit, onPending, signal } = options;
    signal?.throwIfAborted();
    for (let round = 0; round < judgeRoundsMax; round += 1) {
      const sealed = buildEnvelope(draft, this.#ground());
      const { verdict, grants } = this.#judge(sealed.envelope, rules);
      const limited = limit === undefined ? verdict : strictest([verdict, limit]);
      const approval = openApproval(this.#parts, sealed, limited, shortId);
      if (!(await this.#write(approval, grants, rules))) continue;
      if (approval.state !== "pending") return this.#finish(approval, rules);
      const answered = this.#waitFor(approval, signal);
      onPending?.(approval);
      const end = await this.#followEdits(await answered, signal);
      // the asker's rules are about what it asked for, not about what a person made of it
      const isAsked = end.envelope.id === approval.envelope.id;
      return this.#finish(end, isAsked ? rules : []);
    }
    throw new LuminaGuardError("STORE_FAILED", "grants changed faster than they could be used");
  }

  /**
   * A person's answer. Raises APPROVAL_NOT_FOUND, APPROVAL_DECIDED when it came second or too late,
   * ENVELOPE_INVALID when another envelope was shown.
   */
  async decide(id: string, answer: Answer): Promise<Approval> {
    const decided = await this.#parts.ledger.commit((transaction) => {
      const approval = findPending(transaction, id);
      const { envelope, digest, shortId } = approval;
      if (answer.digest !== digest || answer.nonce !== envelope.nonce) {
        throw new LuminaGuardError("ENVELOPE_INVALID", "the card that was shown is not this one", {
          hint: `look at it again: luminaguard approvals show ${shortId}`,
        });
      }
      return transaction.now < Date.parse(envelope.expiresAt)
        ? writeAnswer(this.#parts, transaction, approval, answer)
        : moveApproval(transaction, approval, "expired", nobodyAnswered);
    });
    this.#waiters.settle(decided);
    if (decided.state === "expired") throw alreadyDecided(decided);
    return decided;
  }

  /**
   * An edited version takes the place of a pending one: a new envelope with this answer on it. The
   * asker of the old one is told that it was cancelled. Policy has its say on the new one too.
   */
  async amend(
    id: string,
    draft: EnvelopeDraft,
    { by, shortId = makeShortId() }: Pick<Answer, "by"> & Pick<RequestOptions, "shortId">,
  ): Promise<CliffVerdict> {
    const parts = this.#parts;
    const sealed = buildEnvelope({ ...draft, replaces: id }, this.#ground());
    const { digest, envelope } = sealed;
    const opened = openAnswered(parts, sealed, this.#judge(envelope, []).verdict, shortId);
    const [amended, old] = await parts.ledger.commit((transaction) => {
      const pending = findAnswerable(transaction, id);
      const why = `edited: ${envelope.id}`;
      const cancelled = moveApproval(transaction, pending, "cancelled", why);
      transaction.insert(opened);
      transaction.record(envelopeEntry(opened));
      if (opened.state !== "pending") return [opened, cancelled];
      const answer = { word: "approve", digest, nonce: envelope.nonce, by } as const;
      return [writeAnswer(parts, transaction, opened, answer), cancelled];
    });
    this.#waiters.settle(old);
    return toVerdict(amended);
  }

  /**
   * An edited version takes the place of a pending one as a card of its own, unless policy denies it.
   * The asker of the old one waits for its answer, in whatever process. Raises APPROVAL_NOT_FOUND,
   * APPROVAL_DECIDED when it came too late, ENVELOPE_INVALID.
   */
  async edit(
    id: string,
    edit: Edit,
    { shortId = makeShortId() }: Pick<RequestOptions, "shortId"> = {},
  ): Promise<Approval> {
    const judge = (envelope: ActionEnvelope): PolicyVerdict => this.#judge(envelope, []).verdict;
    const { old, edited } = await editApproval(this.#parts, id, edit, { judge, shortId });
    this.#waiters.settle(old);
    return edited;
  }

  /**
   * Runs what was approved, once. The record that it begins is durable before `run` is called. Raises
   * APPROVAL_DECIDED when it ran already, APPROVAL_VOID when what it stood on changed; what `run`
   * throws is recorded and thrown on.
   * @param toolFingerprint hash of the tool's definition now
   */
  async execute<T>(
    id: string,
    run: (envelope: ActionEnvelope) => Promise<T>,
    toolFingerprint: string | null = null,
  ): Promise<T> {
    const rules = this.#rules.get(id) ?? [];
    this.#rules.delete(id);
    return executeApproval(this.#parts, id, { run, toolFingerprint, rules, begun: this.#begun });
  }

  /** Withdraws what is pending, or approved and not begun: in one run, or everywhere. */
  async cancel(reason: string, filter: { readonly run?: string } = {}): Promise<number> {
    const { ledger } = this.#parts;
    const open = ledger.list({ ...filter, states: ["pending", "approved"], limit: Infinity });
    const cancelled = await ledger.commit((transaction) =>
      open.flatMap(({ envelope: { id } }) => {
        const approval = transaction.get(id);
        const isOpen = approval?.state === "pending" || approval?.state === "approved";
        return isOpen ? [moveApproval(transaction, approval, "cancelled", reason)] : [];
      }),
    );
    for (const approval of cancelled) this.#waiters.settle(approval);
    return cancelled.length;
  }

  /** Ends what processes that are gone left open; gives what has an unknown end, for a person. */
  recover(isAlive: (owner: string) => Promise<boolean>): Promise<readonly Approval[]> {
    return recoverApprovals(this.#parts, isAlive);
  }

  /** Cards as they open and settle, in this process and others, until the signal. */
  events(signal: AbortSignal): AsyncIterable<CliffEvent> {
    return watchApprovals(this.#parts.ledger, signal);
  }

  /** Says that a person can be asked here, until disposed. Without a face the answer is no at once. */
  attach(name: string): Disposable {
    const { ledger, owner } = this.#parts;
    return ledger.registerFace({ name, owner });
  }

  #finish(end: Approval, rules: readonly GrantRule[]): CliffVerdict {
    if (end.state === "approved" && rules.length > 0) this.#rules.set(end.envelope.id, rules);
    return toVerdict(end);
  }

  /** The end of the card, or of the last that it was edited into. */
  async #followEdits(asked: Approval, signal: AbortSignal | undefined): Promise<Approval> {
    for (let end = asked; ;) {
      const edited = followEdits(this.#parts.ledger, end);
      if (edited === end) return end;
      const { answer, reason } = this.#judge(edited.envelope, []).verdict;
      // whoever edited it may live under another policy than this asker
      const why = `policy says no: ${reason}`;
      if (answer === "deny") await this.#close(edited.envelope.id, "cancelled", why);
      end = await this.#waitFor(edited, signal);
    }
  }

  #ground(): EnvelopeGround {
    const { ledger, engine, timeoutMs } = this.#parts;
    return { now: ledger.now(), timeoutMs, policyVersion: engine.version };
  }

  #judge(envelope: ActionEnvelope, rules: readonly GrantRule[]): Judgement {
    const { ledger, engine } = this.#parts;
    const promptsInRun = ledger.countPrompts(envelope.run);
    return judgeEnvelope(engine, envelope, { promptsInRun, rules, grants: ledger.grants() });
  }

  /** False when a grant it leans on was used up meanwhile; then nothing was written. */
  async #write(
    approval: Approval,
    grants: readonly string[],
    rules: readonly GrantRule[],
  ): Promise<boolean> {
    const usedUp = new Error("a grant was used up");
    const written = this.#parts.ledger.commit((transaction) => {
      // thrown, so that no use of another grant is lost
      for (const id of grants) if (!transaction.useGrant(id)) throw usedUp;
      transaction.insert(approval);
      const entry = envelopeEntry(approval);
      const ownRules = rules.map(({ id, text }) => ({ id, text }));
      transaction.record({ ...entry, facts: { ...entry.facts, ownRules } });
      if (approval.decision !== null) transaction.record(decisionEntry(approval));
    });
    return written.then(
      () => true,
      (error: unknown) => {
        if (error === usedUp) return false;
        throw error;
      },
    );
  }

  async #waitFor(approval: Approval, signal: AbortSignal | undefined): Promise<Approval> {
    const { id, createdAt, expiresAt } = approval.envelope;
    const settled = this.#waiters.wait(id);
    const close = (state: "expired" | "cancelled", why: string): void => {
      this.#close(id, state, why).then(
        (closed) => closed && this.#waiters.settle(closed),
        // the ledger is gone: for its asker the card is closed all the same
        () => this.#waiters.settle({ ...approval, state, outcome: why }),
      );
    };
    const waitsMs = Date.parse(expiresAt) - Date.parse(createdAt);
    const timer = setTimeout(close, waitsMs, "expired", nobodyAnswered);
    const onAbort = (): void => close("cancelled", "the asker withdrew it");
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    try {
      return await settled;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #close(id: string, state: "expired" | "cancelled", why: string): Promise<Approval | undefined> {
    return this.#parts.ledger.commit((transaction) => {
      const approval = transaction.get(id);
      // answered in the same moment: the answer stands
      if (approval?.state !== "pending") return approval;
      return moveApproval(transaction, approval, state, why);
    });
  }
}
