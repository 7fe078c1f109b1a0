/** A question as the engine reads it: who, which action, on what, and what the host knows of it. */
import type { EntityJson, TypeAndId } from "./cedar.ts";
import { riskLevels } from "./question.ts";
import type { Effect, Question } from "./question.ts";
import { canonicalHost, parentsOf, resourceOf, resourceTypes } from "./resource.ts";

/** `human`: what would a person's yes allow? */
export type Approval = "none" | "human";

type Facts = Readonly<Record<string, string | number | boolean | string[]>>;

export interface PolicyRequest {
  readonly principal: TypeAndId;
  readonly action: TypeAndId;
  readonly resource: TypeAndId;
  readonly context: Record<string, string | number | boolean | string[]>;
  readonly entities: EntityJson[];
}

/**
 * @param argNames arguments the rules read; null: all. What no rule reads need not be copied to the
 * engine, and an argument can be megabytes.
 */
export function createRequest(
  question: Question,
  approval: Approval,
  argNames: readonly string[] | null,
): PolicyRequest {
  const { effect } = question;
  const resource = { type: resourceTypes[effect.kind], id: resourceOf(effect) };
  return {
    principal: { type: "Agent", id: question.who },
    action: { type: "Action", id: effect.kind },
    resource,
    context: { ...sharedFacts(question, approval), ...factsOf(effect) },
    entities: [
      {
        uid: resource,
        attrs: {},
        parents: [...parentsOf(effect)],
        tags: tagsOf(argumentsOf(question), argNames),
      },
    ],
  };
}

function sharedFacts(question: Question, approval: Approval): Facts {
  const { risk, tainted, run, task, tool, promptsInRun } = question;
  const level = riskLevels.indexOf(risk);
  return { approval, risk: level, tainted, run, task: task ?? "", tool, promptsInRun };
}

function factsOf(effect: Effect): Facts {
  switch (effect.kind) {
    case "file-write-back": {
      const { added, modified, deleted, flags } = effect;
      return { added, modified, deleted, flags: [...flags] };
    }
    case "host-command":
      return { commandLine: JSON.stringify(effect.argv), cwd: effect.cwd };
    case "network-grant": {
      const methods = effect.methods.map((method) => method.toUpperCase());
      return { port: effect.port, methods, isFirstContact: effect.isFirstContact };
    }
    case "network-card":
      return {};
    case "secret-use":
      return { host: canonicalHost(effect.host), isOwnHost: effect.isOwnHost };
    case "mcp-call":
      return { harm: effect.harm, isFirstCall: effect.isFirstCall };
    case "git-landing":
      return { ref: effect.ref, isNew: effect.before === null, isForced: effect.isForced };
    case "message":
      return { recipients: [...effect.recipients] };
    case "policy-change":
      return { isWider: effect.isWider };
    case "spend":
      return { amountMinor: effect.amountMinor, currency: effect.currency };
  }
}

/** The words of a host command are those that would run, whatever the asker calls them. */
function argumentsOf({ effect, args }: Question): Readonly<Record<string, string>> {
  if (effect.kind !== "host-command") return args;
  const own = Object.entries(args).filter(([name]) => !/^\/argv(\/|$)/.test(name));
  const words = effect.argv.map((word, index) => [`/argv/${index}`, word] as const);
  return Object.fromEntries([...own, ...words]);
}

function tagsOf(
  args: Readonly<Record<string, string>>,
  names: readonly string[] | null,
): Record<string, string> {
  if (names === null) return { ...args };
  const read = names.filter((name) => Object.hasOwn(args, name));
  return Object.fromEntries(read.map((name) => [name, args[name] ?? ""]));
}
