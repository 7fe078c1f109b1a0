/**
 * What policy is asked and what it answers. The room that asks declares the same shapes for itself;
 * where the two are joined, the compiler holds them against each other.
 */

/** `ask`: only with a person's yes. */
export type Answer = "allow" | "ask" | "deny";

/** From least to worst; a rule reads the place in this list. */
export const riskLevels = ["none", "low", "medium", "high", "critical"] as const;
export type RiskLevel = (typeof riskLevels)[number];

/** What would outlive or leave the machine, with the facts about it that the host holds. */
export type Effect =
  | {
      readonly kind: "file-write-back";
      /** folder on the host, absolute */
      readonly root: string;
      readonly added: number;
      readonly modified: number;
      readonly deleted: number;
      readonly flags: readonly string[];
    }
  | { readonly kind: "host-command"; readonly argv: readonly string[]; readonly cwd: string }
  | {
      readonly kind: "network-grant";
      readonly host: string;
      readonly port: number;
      readonly methods: readonly string[];
      readonly isFirstContact: boolean;
    }
  | { readonly kind: "network-card"; readonly nic: "user" }
  | {
      readonly kind: "secret-use";
      readonly secret: string;
      readonly host: string;
      readonly isOwnHost: boolean;
    }
  | {
      readonly kind: "mcp-call";
      readonly server: string;
      readonly tool: string;
      readonly harm: "harmless" | "unknown" | "destructive";
      readonly isFirstCall: boolean;
    }
  | {
      readonly kind: "git-landing";
      readonly repository: string;
      readonly ref: string;
      readonly before: string | null;
      readonly after: string;
      readonly isForced: boolean;
    }
  | { readonly kind: "message"; readonly channel: string; readonly recipients: readonly string[] }
  | {
      readonly kind: "policy-change";
      readonly what: "policy" | "grant" | "memory" | "skill";
      readonly isWider: boolean;
    }
  | {
      readonly kind: "spend";
      readonly amountMinor: number;
      readonly currency: string;
      readonly payee: string;
    };

export type EffectKind = Effect["kind"];

/** One effect by one principal. */
export interface Question {
  readonly who: string;
  readonly run: string;
  readonly task: string | null;
  readonly tool: string;
  readonly effect: Effect;
  readonly risk: RiskLevel;
  readonly tainted: boolean;
  /** every argument as text by its JSON Pointer (RFC 6901), such as `/repo` */
  readonly args: Readonly<Record<string, string>>;
  /** questions that a person was asked in this run so far */
  readonly promptsInRun: number;
}

export interface Verdict {
  readonly answer: Answer;
  /** ids of the rules that decided, a grant's id for a grant; empty when no rule named it */
  readonly rules: readonly string[];
  /** one line for a person */
  readonly reason: string;
}

/** A remembered yes: the text of the one rule it adds. */
export interface GrantedRule {
  readonly id: string;
  readonly text: string;
}

/** What a grant is to cover. */
export interface GrantWish {
  readonly who: string;
  readonly effect: EffectKind;
  readonly tool: string;
  /** what it acts on, as `resourceOf` names it; left out, a tool's own name for a tool call */
  readonly resource?: string | undefined;
  /** null: in any run; with `task`, only in that task */
  readonly run: string | null;
  readonly task: string | null;
  /** arguments that must be just so, by JSON Pointer; the others are free */
  readonly args: Readonly<Record<string, string>>;
}
