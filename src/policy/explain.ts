/** Why an answer is what it is: the rules that decided, and what would change it. */
import type { Answer, Effect, GrantedRule, Question, Verdict } from "./question.ts";

export interface Explanation {
  readonly question: Question;
  readonly verdict: Verdict;
  /** one fact changed at a time, where that gives another answer */
  readonly changes: readonly { readonly if: string; readonly verdict: Verdict }[];
}

interface Judge {
  readonly judge: (question: Question, grants: readonly GrantedRule[]) => Verdict;
}

const strictness: Readonly<Record<Answer, number>> = { allow: 0, ask: 1, deny: 2 };

export function explain(engine: Judge, question: Question): Explanation {
  const verdict = engine.judge(question, []);
  const changes = vary(question)
    .map(([what, varied]) => ({ if: what, verdict: engine.judge(varied, []) }))
    .filter((change) => strictness[change.verdict.answer] < strictness[verdict.answer]);
  return { question, verdict, changes };
}

/** The question with one fact as good as it can be, for each fact that is not. */
function vary(question: Question): readonly (readonly [what: string, varied: Question])[] {
  const untainted: Question = { ...question, tainted: false };
  const effects = varyEffect(question.effect).map(([what, effect]) => {
    return [what, { ...question, effect }] as const;
  });
  return [
    ...(question.tainted ? [["nothing from outside had steered it", untainted] as const] : []),
    ...(question.promptsInRun > 0
      ? [["nobody had been asked in the run", { ...question, promptsInRun: 0 }] as const]
      : []),
    ...effects,
  ];
}

function varyEffect(effect: Effect): readonly (readonly [what: string, varied: Effect])[] {
  switch (effect.kind) {
    case "file-write-back":
      return [
        ["no file were flagged", { ...effect, flags: [] }],
        ["no file were deleted", { ...effect, deleted: 0 }],
      ];
    case "network-grant":
      return [
        ["the host had been met before", { ...effect, isFirstContact: false }],
        ["it only read", { ...effect, methods: ["GET"] }],
      ];
    case "secret-use":
      return [["the host were one of the secret's own", { ...effect, isOwnHost: true }]];
    case "mcp-call":
      return [
        ["you had called the tool harmless", { ...effect, harm: "harmless" }],
        ["the tool had been called before", { ...effect, isFirstCall: false }],
      ];
    case "git-landing":
      return [["it were not forced", { ...effect, isForced: false }]];
    case "policy-change":
      return [["it made policy no wider", { ...effect, isWider: false }]];
    default:
      return [];
  }
}
