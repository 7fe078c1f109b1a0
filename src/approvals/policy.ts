/**
 * What the cliff asks of a policy engine. The engine is handed in: the official Cedar engine in the
 * product, anything that answers in a test.
 */
import type { Effect } from "./effect.ts";
import type { Risk } from "./risk.ts";

/** `ask`: only with a person's yes. */
export type PolicyAnswer = "allow" | "ask" | "deny";

/** One effect by one principal. An envelope is as many questions as it has effects times principals. */
export interface PolicyQuestion {
  readonly who: string;
  readonly run: string;
  readonly task: string | null;
  readonly tool: string;
  readonly effect: Effect;
  readonly risk: Risk;
  readonly tainted: boolean;
  /** every argument as text by its JSON Pointer (RFC 6901), such as `/repo` */
  readonly args: Readonly<Record<string, string>>;
  /** questions that a person was asked in this run so far */
  readonly promptsInRun: number;
}

export interface PolicyVerdict {
  readonly answer: PolicyAnswer;
  /** ids of the rules that decided; empty when no rule named it, which is a deny */
  readonly rules: readonly string[];
  /** one line for a person */
  readonly reason: string;
}

/** A remembered decision, as the engine reads it: its text stands among the rules. */
export interface GrantRule {
  readonly id: string;
  readonly text: string;
}

export interface PolicyEngine {
  /** names the rules exactly: changes when any of them does */
  readonly version: string;
  /** Never throws for what a question holds: an exception while judging is a deny. */
  readonly judge: (question: PolicyQuestion, grants: readonly GrantRule[]) => PolicyVerdict;
  /** What the effect acts on, as rules name it: the folder, the host, `server.tool`, … */
  readonly resourceOf: (effect: Effect) => string;
  /** The exact text of the rule that a grant adds, for the card and for `judge`. Raises USAGE, GRANT_REFUSED. */
  readonly writeGrant: (scope: GrantScope) => string;
}

/** What a grant covers. Uses and time are counted by the cliff; who, what and which arguments by the rule. */
export interface GrantScope {
  readonly who: string;
  readonly effect: Effect["kind"];
  readonly tool: string;
  /**
   * what it acts on, as the engine names it: the folder, the host, the repository, …; a tool call's
   * is its tool when left out, any other effect is refused without
   */
  readonly resource?: string;
  /** null: in any run; with `task`, only in that task */
  readonly run: string | null;
  readonly task: string | null;
  /** arguments that must be just so, by JSON Pointer; the others are free */
  readonly args: Readonly<Record<string, string>>;
}

const strictness: Readonly<Record<PolicyAnswer, number>> = { allow: 0, ask: 1, deny: 2 };

/** The verdict that allows least; the first of equals. */
export function strictest(verdicts: readonly [PolicyVerdict, ...PolicyVerdict[]]): PolicyVerdict {
  return verdicts.reduce((most, each) =>
    strictness[each.answer] > strictness[most.answer] ? each : most,
  );
}
