/**
 * A cliff through anything that can happen to it, in any order: several askers and faces, answers that
 * come twice or to the wrong card, time that passes, processes that die. The story keeps its own account
 * of what may run, and compares.
 */
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import type { Approval } from "../../src/approvals/approval.ts";
import { Cliff } from "../../src/approvals/cliff.ts";
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
  readonly advance: (ms: number) => void;
}

const timeoutMs = 60_000;

/** Throws when anything ran that nobody approved, ran twice, or moved after its end. */
export async function tellStory(
  { ledger, advance }: StoryLedger,
  story: readonly Step[],
): Promise<void> {
  const policy = new ScriptedPolicy();
  const ids: string[] = [];
  const runs = new Map<string, number>();
  const ends = new Map<string, string>();
  let generation = 1;
  const start = (): Cliff =>
    new Cliff({ ledger, engine: policy, key: testKey, owner: `p${generation}`, timeoutMs });
  let cliff = start();
  let face = cliff.attach("story");

  const get = (id: string | undefined): Approval | undefined =>
    id === undefined ? undefined : ledger.get(id);

  const take = async (step: Step): Promise<void> => {
    switch (step.kind) {
      case "ask": {
        policy.answer = step.policy;
        const before = new Set(ledger.list({ limit: Infinity }).map(({ envelope }) => envelope.id));
        const asked = cliff.request(draftCall({ number: ids.length }));
        asked.catch(() => undefined);
        if (step.policy !== "ask") await asked;
        const isNew = ({ envelope }: Approval): boolean => !before.has(envelope.id);
        while (!ledger.list({ limit: Infinity }).some(isNew)) await setImmediate();
        ids.push(ledger.list({ limit: Infinity }).find(isNew)?.envelope.id ?? "");
        policy.answer = "ask";
        return;
      }
      case "answer": {
        const shown = get(ids.at(-1 - step.card));
        if (shown === undefined) return;
        const { digest, envelope } = shown;
        const nonce = step.forged ? "0".repeat(32) : envelope.nonce;
        const wasPending = shown.state === "pending";
        const isLate = ledger.now() >= Date.parse(envelope.expiresAt);
        const answers = await Promise.allSettled(
          Array.from({ length: step.times }, () =>
            cliff.decide(envelope.id, { digest, nonce, word: step.word, by: "story" }),
          ),
        );
        const taken = answers.filter(({ status }) => status === "fulfilled").length;
        const expected = wasPending && !isLate && !step.forged ? 1 : 0;
        if (taken !== expected) throw new Error(`${taken} answers taken, not ${expected}`);
        return;
      }
      case "execute": {
        const found = get(ids.at(-1 - step.card));
        if (found === undefined) return;
        const { id } = found.envelope;
        await Promise.allSettled(
          Array.from({ length: step.times }, () =>
            cliff.execute(id, () => {
              const approval = ledger.get(id);
              if (approval?.state !== "executing" || approval.decision?.word !== "approve") {
                throw new Error(`ran while ${String(approval?.state)}`);
              }
              runs.set(id, (runs.get(id) ?? 0) + 1);
              return step.dies ? Promise.reject(new Error("it failed")) : Promise.resolve();
            }),
          ),
        );
        return;
      }
      case "wait":
        advance(step.ms);
        return;
      case "stop":
        await cliff.cancel("STOP");
        return;
      case "restart":
        face[Symbol.dispose]();
        generation += 1;
        cliff = start();
        await cliff.recover((owner) => Promise.resolve(owner === `p${generation}`));
        face = cliff.attach("story");
        return;
      case "policy changes":
        policy.version = `sha256:${generation}-${ids.length}-${policy.version.length}`;
    }
  };

  for (const step of story) {
    await take(step);
    for (const id of ids) {
      const state = ledger.get(id)?.state ?? "lost";
      const end = ends.get(id);
      if (end !== undefined && end !== state) throw new Error(`${end} became ${state}`);
      if (!["pending", "approved", "executing"].includes(state)) ends.set(id, state);
      if ((runs.get(id) ?? 0) > 1) throw new Error("it ran twice");
      if (state === "done" && runs.get(id) !== 1) throw new Error("done, but it did not run");
    }
  }
  face[Symbol.dispose]();
  await cliff.cancel("the story ends");
}
