/** How bad an effect can be, judged from facts the host holds. SPECIFICATION.md has the table. */
import type {
  Effect,
  FileWriteBack,
  GitLanding,
  McpCall,
  NetworkGrant,
  SecretUse,
} from "./effect.ts";

export const risks = ["none", "low", "medium", "high", "critical"] as const;
export type Risk = (typeof risks)[number];

/** `by-hand`: a person can undo it with work; `irreversible`: nobody can. */
export type Reversibility = "reversible" | "by-hand" | "irreversible";

export interface Assessment {
  readonly risk: Risk;
  /** red: nothing is answered by a single careless key */
  readonly face: "green" | "red";
  readonly reversibility: Reversibility;
}

/** The effect's own risk; taint raises it by one step, since the asker may not be itself. */
export function assess(effect: Effect, tainted: boolean): Assessment {
  const [untainted, reversibility] = judge(effect);
  const risk = tainted ? raise(untainted) : untainted;
  const face = risk === "high" || risk === "critical" ? "red" : "green";
  return { risk, face, reversibility };
}

/** The worst of several effects, part by part. */
export function assessAll(effects: readonly Effect[], tainted: boolean): Assessment {
  const order: readonly Reversibility[] = ["reversible", "by-hand", "irreversible"];
  const all = effects.map((effect) => assess(effect, tainted));
  const risk = risks.findLast((each) => all.some((one) => one.risk === each)) ?? "critical";
  const face = all.some((one) => one.face === "red") ? "red" : "green";
  const reversibility =
    order.findLast((each) => all.some((one) => one.reversibility === each)) ?? "irreversible";
  return { risk, face, reversibility };
}

function raise(risk: Risk): Risk {
  // nothing at stake stays so: whoever asks for it
  return risk === "none" ? risk : (risks[risks.indexOf(risk) + 1] ?? "critical");
}

function judge(effect: Effect): readonly [Risk, Reversibility] {
  switch (effect.kind) {
    case "file-write-back":
      return judgeFiles(effect);
    case "host-command":
      return ["critical", "irreversible"];
    case "network-grant":
      return judgeNetwork(effect);
    case "network-card":
      return ["critical", "irreversible"];
    case "secret-use":
      return judgeSecret(effect);
    case "mcp-call":
      return judgeCall(effect);
    case "git-landing":
      return judgeLanding(effect);
    case "message":
      return ["high", "irreversible"];
    case "policy-change":
      return effect.isWider ? ["high", "reversible"] : ["low", "reversible"];
    case "spend":
      return ["high", "by-hand"];
  }
}

function judgeFiles({ flags, deleted }: FileWriteBack): readonly [Risk, Reversibility] {
  if (flags.length > 0) return ["high", "by-hand"];
  return deleted > 0 ? ["medium", "by-hand"] : ["low", "by-hand"];
}

const readingMethods = new Set(["GET", "HEAD", "OPTIONS"]);

function judgeNetwork({ methods, isFirstContact }: NetworkGrant): readonly [Risk, Reversibility] {
  const onlyReads = methods.length > 0 && methods.every((method) => readingMethods.has(method));
  // a request's address alone can carry data out, so reading is never without risk
  if (onlyReads) return [isFirstContact ? "medium" : "low", "irreversible"];
  return [isFirstContact ? "high" : "medium", "irreversible"];
}

function judgeSecret({ isOwnHost }: SecretUse): readonly [Risk, Reversibility] {
  return isOwnHost ? ["medium", "by-hand"] : ["critical", "irreversible"];
}

function judgeCall({ harm, isFirstCall }: McpCall): readonly [Risk, Reversibility] {
  if (harm === "harmless") return [isFirstCall ? "low" : "none", "reversible"];
  return [harm === "destructive" ? "high" : "medium", "irreversible"];
}

function judgeLanding({ isForced, before }: GitLanding): readonly [Risk, Reversibility] {
  if (isForced) return ["critical", "by-hand"];
  return [before === null ? "medium" : "high", "by-hand"];
}
