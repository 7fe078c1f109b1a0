/**
 * A cliff through anything that can happen to it, in any order: several askers and faces, answers that
 * come twice or to the wrong card, calls that a person edits, time that passes, processes that die. The
 * story keeps its own account of what may run, and compares.
 */
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import type { Approval } from "../../src/approvals/approval.ts";
import { Cliff } from "../../src/approvals/cliff.ts";
import type { CliffVerdict } from "../../src/approvals/cliff-verdict.ts";
import type { ActionEnvelope } from "../../src/approvals/envelope.ts";
import type { Ledger } from "../../src/approvals/ledger.ts";
import { ScriptedPolicy, draftCall, testKey } from "./cliff.ts";

export type Step =
  | { readonly kind: "ask"; readonly policy: "allow" | "ask" | "deny" }
  | {
      readonly kind: "answer";
      readonly card: number;
      readonly word: "approve" | "reject";
      readonly times: number;
      readonly forged: boolean;
    }
  | {
      readonly kind: "edit";
      readonly card: number;
      readonly policy: "ask" | "deny";
      /** in another process than the asker's */
      readonly elsewhere: boolean;
      /** somebody approves the old one in the same moment */
      readonly races: boolean;
    }
  | {
      readonly kind: "execute";
      readonly card: number;
      readonly times: number;
      readonly dies: boolean;
    }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "stop" }
  | { readonly kind: "restart" }
  | { readonly kind: "policy changes" };

/** counted from the newest, which most often still waits */
const card = fc.nat(3);
const rarely = fc.constantFrom(false, false, false, true);
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("ask" as const),
        policy: fc.constantFrom("allow" as const, "ask" as const, "ask" as const, "deny" as const),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("answer" as const),
        card,
        word: fc.constantFrom("approve" as const, "reject" as const),
        times: fc.integer({ min: 1, max: 3 }),
        forged: rarely,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("edit" as const),
        card,
        policy: fc.constantFrom("ask" as const, "ask" as const, "ask" as const, "deny" as const),
        elsewhere: fc.boolean(),
        races: rarely,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("execute" as const),
        card,
        times: fc.integer({ min: 1, max: 3 }),
        dies: rarely,
      }),
    },
    fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 70_000 }) }),
    fc.record({ kind: fc.constant("stop" as const) }),
    fc.record({ kind: fc.constant("restart" as const) }),
    fc.record({ kind: fc.constant("policy changes" as const) }),
  ),
  { minLength: 20, maxLength: 60, size: "max" },
);

export interface StoryLedger {
  readonly ledger: Ledger;
  /** the same as another process has it @default edits come from the asker's process */
  readonly elsewhere?: Ledger;
  readonly advance: (ms: number) => void;
}

const timeoutMs = 60_000;

/** Throws when anything ran that nobody approved, ran twice, or moved after its end. */
export async function tellStory(ground: StoryLedger, told: readonly Step[]): Promise<void> {
  const story = new Story(ground);
  for (const step of told) {
    await story.take(step);
    story.check();
  }
  await story.end();
}

type StepOf<Kind extends Step["kind"]> = Extract<Step, { kind: Kind }>;

class Story {
  readonly #ledger: Ledger;
  readonly #advance: (ms: number) => void;
  readonly #policy = new ScriptedPolicy();
  readonly #ids: string[] = [];
  /** by the id of what was first asked for: an edited version is still the same question */
  readonly #runs = new Map<string, number>();
  /** args of what replaced an envelope, by the old one's id */
  readonly #edits = new Map<string, number>();
  readonly #told: CliffVerdict[] = [];
  readonly #elsewhere: Cliff | undefined;
  readonly #ends = new Map<string, string>();
  #generation = 1;
  #cliff: Cliff;
  #face: Disposable;

  constructor({ ledger, advance, elsewhere }: StoryLedger) {
    this.#ledger = ledger;
    this.#advance = advance;
    const parts = { engine: this.#policy, key: testKey, owner: "another", timeoutMs };
    this.#elsewhere = elsewhere && new Cliff({ ...parts, ledger: elsewhere });
    this.#cliff = this.#start();
    this.#face = this.#cliff.attach("story");
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case "ask":
        await this.#ask(step);
        return;
      case "answer":
        await this.#answer(step);
        return;
      case "edit":
        await this.#edit(step);
        return;
      case "execute":
        await this.#execute(step);
        return;
      case "wait":
        this.#advance(step.ms);
        return;
      case "stop":
        await this.#cliff.cancel("STOP");
        return;
      case "restart":
        await this.#restart();
        return;
      case "policy changes":
        this.#policy.version += "'";
    }
  }

  check(): void {
    for (const id of this.#ids) {
      const state = this.#ledger.get(id)?.state ?? "lost";
      const end = this.#ends.get(id);
      if (end !== undefined && end !== state) throw new Error(`${end} became ${state}`);
      if (!["pending", "approved", "executing"].includes(state)) this.#ends.set(id, state);
      const runs = this.#runs.get(this.#rootOf(id)) ?? 0;
      if (runs > 1) throw new Error("it ran twice");
      if (state === "done" && runs !== 1) throw new Error("done, but it did not run");
    }
    const isOld = ({ approval }: CliffVerdict): boolean => this.#edits.has(approval.envelope.id);
    if (this.#told.some(isOld)) throw new Error("the asker was told of the old one");
  }

  async end(): Promise<void> {
    this.#face[Symbol.dispose]();
    await this.#cliff.cancel("the story ends");
  }

  #start(): Cliff {
    const owner = `p${this.#generation}`;
    return new Cliff({
      ledger: this.#ledger,
      engine: this.#policy,
      key: testKey,
      owner,
      timeoutMs,
    });
  }

  async #ask({ policy }: StepOf<"ask">): Promise<void> {
    this.#policy.answer = policy;
    const before = new Set(this.#all().map(({ envelope }) => envelope.id));
    const asked = this.#cliff.request(draftCall({ number: this.#ids.length }));
    asked.then(
      (verdict) => this.#told.push(verdict),
      () => undefined,
    );
    if (policy !== "ask") await asked;
    const findNew = (): Approval | undefined =>
      this.#all().find(({ envelope }) => !before.has(envelope.id));
    while (findNew() === undefined) await setImmediate();
    this.#ids.push(findNew()?.envelope.id ?? "");
    this.#policy.answer = "ask";
  }

  async #answer({ card, word, times, forged }: StepOf<"answer">): Promise<void> {
    const shown = this.#at(card);
    if (shown === undefined) return;
    const { digest, envelope, state } = shown;
    const nonce = forged ? "0".repeat(32) : envelope.nonce;
    const isLate = this.#ledger.now() >= Date.parse(envelope.expiresAt);
    const answers = await Promise.allSettled(
      Array.from({ length: times }, () =>
        this.#cliff.decide(envelope.id, { digest, nonce, word, by: "story" }),
      ),
    );
    const taken = answers.filter(({ status }) => status === "fulfilled").length;
    const expected = state === "pending" && !isLate && !forged ? 1 : 0;
    if (taken !== expected) throw new Error(`${taken} answers taken, not ${expected}`);
  }

  async #edit({ card, policy, elsewhere, races }: StepOf<"edit">): Promise<void> {
    const shown = this.#at(card);
    if (shown === undefined) return;
    const { digest, envelope, state, owner } = shown;
    const { id, nonce, expiresAt } = envelope;
    this.#policy.answer = policy;
    const args = { number: 1000 + this.#ids.length };
    const cliff = (elsewhere ? this.#elsewhere : undefined) ?? this.#cliff;
    const isOpen = state === "pending" && this.#ledger.now() < Date.parse(expiresAt);
    const editing = cliff.edit(id, { args });
    const racing = races
      ? this.#cliff.decide(id, { digest, nonce, word: "approve", by: "story" })
      : Promise.reject(new Error("nobody else is there"));
    const [edit, answer] = await Promise.allSettled([editing, racing]);
    this.#policy.answer = "ask";
    const taken = [edit, answer].filter(({ status }) => status === "fulfilled").length;
    if (taken !== (isOpen ? 1 : 0)) throw new Error(`${taken} of an edit and an answer taken`);
    if (edit.status === "rejected") return;
    if (edit.value.owner !== owner) throw new Error("it has another asker");
    const begins = policy === "deny" ? "rejected" : "pending";
    if (edit.value.state !== begins) throw new Error(`it is ${edit.value.state}`);
    this.#edits.set(id, args.number);
    this.#ids.push(edit.value.envelope.id);
  }

  async #execute({ card, times, dies }: StepOf<"execute">): Promise<void> {
    const id = this.#at(card)?.envelope.id;
    if (id === undefined) return;
    const run = ({ args, replaces }: ActionEnvelope): Promise<void> => {
      const approval = this.#ledger.get(id);
      if (approval?.state !== "executing" || approval.decision?.word !== "approve") {
        throw new Error(`ran while ${String(approval?.state)}`);
      }
      if (this.#edits.has(id)) throw new Error("the old one ran");
      const edited = replaces === null ? undefined : this.#edits.get(replaces);
      if (edited !== undefined && args["number"] !== edited) throw new Error("ran with old args");
      const root = this.#rootOf(id);
      this.#runs.set(root, (this.#runs.get(root) ?? 0) + 1);
      return dies ? Promise.reject(new Error("it failed")) : Promise.resolve();
    };
    await Promise.allSettled(Array.from({ length: times }, () => this.#cliff.execute(id, run)));
  }

  async #restart(): Promise<void> {
    this.#face[Symbol.dispose]();
    this.#generation += 1;
    this.#cliff = this.#start();
    await this.#cliff.recover((owner) => Promise.resolve(owner === `p${this.#generation}`));
    this.#face = this.#cliff.attach("story");
  }

  #rootOf(id: string): string {
    const replaces = this.#ledger.get(id)?.envelope.replaces ?? null;
    return replaces === null ? id : this.#rootOf(replaces);
  }

  #all(): readonly Approval[] {
    return this.#ledger.list({ limit: Infinity });
  }

  /** Counted from the newest. */
  #at(card: number): Approval | undefined {
    const id = this.#ids.at(-1 - card);
    return id === undefined ? undefined : this.#ledger.get(id);
  }
}
