/** A cliff over a ledger in memory, with a policy that says what a test wants it to say. */
import { createHmac } from "node:crypto";
import { Cliff } from "../../src/approvals/cliff.ts";
import type { EnvelopeDraft } from "../../src/approvals/envelope.ts";
import type { DecisionKey } from "../../src/approvals/decision.ts";
import type { PolicyAnswer, PolicyEngine, PolicyQuestion } from "../../src/approvals/policy.ts";
import { MemoryLedger } from "./memory-ledger.ts";

export class ScriptedPolicy implements PolicyEngine {
  version = "sha256:one";
  answer: PolicyAnswer | ((question: PolicyQuestion) => PolicyAnswer) = "ask";

  readonly judge: PolicyEngine["judge"] = (question, grants) => {
    const answer = typeof this.answer === "function" ? this.answer(question) : this.answer;
    const granted =
      answer === "ask" ? grants.find(({ text }) => text.includes(question.tool)) : undefined;
    if (granted !== undefined) return { answer: "allow", rules: [granted.id], reason: "granted" };
    return { answer, rules: ["scripted"], reason: `scripted: ${answer}` };
  };

  readonly resourceOf: PolicyEngine["resourceOf"] = () => "github.merge";

  readonly writeGrant: PolicyEngine["writeGrant"] = ({ who, tool }) => `permit ${who} to ${tool}`;
}

export const testKey: DecisionKey = {
  id: "test",
  sign: (text) => createHmac("sha256", "key").update(text).digest("base64"),
  verify: (text, signature) =>
    createHmac("sha256", "key").update(text).digest("base64") === signature,
};

export interface TestCliff {
  readonly cliff: Cliff;
  readonly ledger: MemoryLedger;
  readonly policy: ScriptedPolicy;
}

export function createTestCliff({
  timeoutMs = 60_000,
  owner = "1:1",
}: { readonly timeoutMs?: number; readonly owner?: string } = {}): TestCliff {
  const ledger = new MemoryLedger();
  const policy = new ScriptedPolicy();
  return {
    ledger,
    policy,
    cliff: new Cliff({ ledger, engine: policy, key: testKey, owner, timeoutMs }),
  };
}

export function draftCall(args: EnvelopeDraft["args"] = { number: 418 }): EnvelopeDraft {
  return {
    who: "helper",
    run: "run-1",
    tool: "github.merge",
    args,
    effects: [
      { kind: "mcp-call", server: "github", tool: "merge", harm: "unknown", isFirstCall: false },
    ],
    taint: { tainted: false, sources: [] },
  };
}
