/** A grant's scope becomes the text of one rule: readable on a card, and what the engine will read. */
import { LuminaGuardError } from "../errors.ts";
import { cedarString } from "./cedar-string.ts";
import { isCodeRunner, isCodeRunningTool } from "./code-runners.ts";
import type { GrantWish } from "./question.ts";
import { canonicalHost, resourceTypes } from "./resource.ts";

/** most arguments that a grant can name */
const argsMax = 64;

/**
 * One permit for one agent, one action and one resource, and never while tainted. Raises USAGE for
 * what is no scope, and GRANT_REFUSED for what would be wider than it looks.
 */
export function writeGrant(wish: GrantWish): string {
  const resource = resolveResource(wish);
  refuseWide(wish, resource);
  return `permit (
  principal == Agent::${cedarString(wish.who)},
  action == Action::${cedarString(wish.effect)},
  resource == ${resourceTypes[wish.effect]}::${cedarString(resource)}
)
when {
  ${listConditions(wish).join(" &&\n  ")}
};
`;
}

function resolveResource({ effect, tool, resource }: GrantWish): string {
  if (!Object.hasOwn(resourceTypes, effect)) {
    throw new LuminaGuardError("USAGE", `there is no effect "${effect}"`);
  }
  if (resource !== undefined)
    return effect === "network-grant" ? canonicalHost(resource) : resource;
  if (effect === "mcp-call") return tool;
  const what = resourceTypes[effect].toLowerCase();
  throw new LuminaGuardError("GRANT_REFUSED", `a grant for ${effect} names its ${what}`, {
    hint: `without a ${what} it would hold for every one`,
  });
}

function refuseWide({ effect, tool, args, run, task }: GrantWish, resource: string): void {
  if (Object.keys(args).length > argsMax) {
    throw new LuminaGuardError("USAGE", `a grant names ${argsMax} arguments at most`);
  }
  if (task !== null && run === null) {
    throw new LuminaGuardError("USAGE", "a grant for a task names its run");
  }
  if (effect === "policy-change" && (resource === "policy" || resource === "grant")) {
    throw new LuminaGuardError("GRANT_REFUSED", "who may do what is never changed by a grant", {
      hint: "approve each change by itself",
    });
  }
  if (effect === "network-card") {
    throw new LuminaGuardError("GRANT_REFUSED", "a network card is never given by a grant", {
      hint: "approve each machine by itself",
    });
  }
  if (effect === "mcp-call" && isCodeRunningTool(tool)) {
    throw new LuminaGuardError("GRANT_REFUSED", `the tool ${tool} runs code it is given`, {
      hint: "a grant for it would be a grant for everything; approve each call by itself",
    });
  }
  if (effect === "host-command") refuseCommand(resource, args);
}

/** A command is granted word for word, or not at all. */
function refuseCommand(program: string, args: Readonly<Record<string, string>>): void {
  if (isCodeRunner(program)) {
    throw new LuminaGuardError("GRANT_REFUSED", `${program} runs other programs or code`, {
      hint: "a grant for it would be a grant for everything; approve each command by itself",
    });
  }
  if (wordsOf(args)[0] !== program) {
    throw new LuminaGuardError("GRANT_REFUSED", "a command is granted with all of its words", {
      hint: "name /argv/0, /argv/1, … to the last",
    });
  }
}

/** `/argv/0`, `/argv/1`, … as far as they go without a gap. */
function wordsOf(args: Readonly<Record<string, string>>): readonly string[] {
  const words: string[] = [];
  for (let word = args["/argv/0"]; word !== undefined; word = args[`/argv/${words.length}`]) {
    words.push(word);
  }
  return words;
}

function listConditions(wish: GrantWish): readonly string[] {
  const { effect, tool, run, task, args } = wish;
  return [
    "!context.tainted",
    `context.tool == ${cedarString(tool)}`,
    ...(run === null ? [] : [`context.run == ${cedarString(run)}`]),
    ...(task === null ? [] : [`context.task == ${cedarString(task)}`]),
    // a host that was granted is read from; what is sent to it is asked about
    ...(effect === "network-grant" ? [readsOnly] : []),
    ...(effect === "host-command" ? [`context.commandLine == ${commandLine(args)}`] : []),
    ...Object.entries(args)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => {
        const key = cedarString(name);
        return `resource.hasTag(${key}) &&\n  resource.getTag(${key}) == ${cedarString(value)}`;
      }),
  ];
}

const readsOnly = `["GET", "HEAD", "OPTIONS"].containsAll(context.methods)`;

function commandLine(args: Readonly<Record<string, string>>): string {
  return cedarString(JSON.stringify(wordsOf(args)));
}
