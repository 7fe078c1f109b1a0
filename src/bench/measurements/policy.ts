/** A verdict of policy, beside the least that the engine does: one request, one rule, nothing kept. */
import { loadCedar } from "../../policy/cedar.ts";
import type { Cedar } from "../../policy/cedar.ts";
import { CedarEngine } from "../../policy/engine.ts";
import type { Question } from "../../policy/question.ts";
import { readPreset, readSchema } from "../../policy/shipped.ts";
import { interleave } from "../interleave.ts";
import type { Measurement, Series } from "../measurement.ts";

/** verdicts in a sample */
const verdicts = 100;

export const verdictOf20: Measurement = measureVerdict("verdict-20", 20, 0.5);
export const verdictOf200: Measurement = measureVerdict("verdict-200", 200, 1.2);

function measureVerdict(name: string, ruleCount: number, value: number): Measurement {
  return {
    name,
    group: "cliff",
    unit: "ms",
    what: `a verdict of ${ruleCount} rules`,
    floorIs: "one bare isAuthorized with one rule",
    goal: { kind: "at-most", value },
    method: `The shipped policy and as many rules for actions and tools as make ${ruleCount}; questions that are allowed, asked and denied in turn. A sample is the middle of ${verdicts}.`,
    run: async (context, samples, signal) => {
      const cedar = await loadCedar();
      const engine = await createEngine(cedar, ruleCount);
      const worst: number[] = [];
      const value = (): Promise<number> => {
        const { middle, late } = sample((round) => void engine.judge(questionOf(round), []));
        worst.push(late);
        return Promise.resolve(middle);
      };
      const floor = (): Promise<number> =>
        Promise.resolve(sample(() => void cedar.isAuthorized(bareCall)).middle);
      const series: Series = await interleave(context, samples, signal, value, floor);
      const late = worst.sort((a, b) => a - b)[Math.floor(worst.length / 2)] ?? 0;
      return { ...series, notes: [`95 of 100 verdicts within ${late.toFixed(3)} ms`] };
    },
  };
}

async function createEngine(cedar: Cedar, ruleCount: number): Promise<CedarEngine> {
  const [schema, preset] = await Promise.all([readSchema(), readPreset("balanced")]);
  const shipped = new CedarEngine(cedar, { schema, files: [preset] }).rules.length;
  const text = Array.from({ length: ruleCount - shipped }, (_, index) => writeRule(index)).join(
    "\n",
  );
  const own = { name: "own.cedar", text, origin: "user" } as const;
  return new CedarEngine(cedar, { schema, files: [preset, own] });
}

/** Rules as people write them: for a tool and its arguments, for hosts, folders and repositories. */
function writeRule(index: number): string {
  const forms = [
    `permit (principal, action == Action::"mcp-call", resource == Tool::"git.tool${index}")
     when { !context.tainted && resource.hasTag("/repo") && resource.getTag("/repo") like "acme/*" };`,
    `permit (principal, action == Action::"network-grant", resource in Host::"h${index}.example.org")
     when { ["GET", "HEAD"].containsAll(context.methods) };`,
    `forbid (principal, action == Action::"file-write-back", resource in Folder::"/srv/${index}")
     when { context.deleted > ${index} };`,
    `forbid (principal == Agent::"helper${index}", action == Action::"git-landing", resource)
     when { context.ref like "refs/heads/release*" };`,
  ];
  return forms[index % forms.length] ?? "";
}

const shared = { run: "R1", task: null, risk: "medium", tainted: false, promptsInRun: 1 } as const;
const harms = ["harmless", "unknown", "unknown", "destructive"] as const;

/** A call that is allowed, one that is asked about, a forced landing that is denied, and the like. */
function questionOf(round: number): Question {
  const args = { "/repo": "acme/shop", "/branch": "fix", "/message": "Fix the prices" };
  const base = { ...shared, who: "coder", args };
  if (round % 5 === 4) {
    const effect = {
      kind: "git-landing",
      repository: "/srv/shop",
      ref: "refs/heads/main",
    } as const;
    const landing = { ...effect, before: "a", after: "b", isForced: true };
    return { ...base, tool: "git.land", effect: landing };
  }
  const tool = `tool${4 * (round % 5)}`;
  const harm = harms[round % harms.length] ?? "unknown";
  const effect = { kind: "mcp-call", server: "git", tool, harm, isFirstCall: false } as const;
  return { ...base, tool: `git.${tool}`, effect };
}

const bareCall: Parameters<Cedar["isAuthorized"]>[0] = {
  principal: { type: "Agent", id: "coder" },
  action: { type: "Action", id: "mcp-call" },
  resource: { type: "Tool", id: "git.push" },
  context: { approval: "none" },
  entities: [],
  policies: {
    staticPolicies: `permit (principal, action, resource) when { context.approval == "human" };`,
  },
};

function sample(work: (round: number) => void): { readonly middle: number; readonly late: number } {
  const times = Array.from({ length: verdicts }, (_, round) => {
    const startedAt = performance.now();
    work(round);
    return performance.now() - startedAt;
  }).sort((a, b) => a - b);
  const at = (part: number): number => times[Math.floor(verdicts * part)] ?? 0;
  return { middle: at(0.5), late: at(0.95) };
}
