/** `luminaguard policy`: what the rules are, whether they can be read, and what they answer. */
import { escapeText } from "../../base/escape-text.ts";
import { LuminaGuardError } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import {
  checkPolicies,
  explainQuestion,
  readJson,
  testCases,
} from "../../runtime/cliff/policy-trial.ts";
import type { Explanation, PolicyProblem, Verdict } from "../../runtime/values.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";

interface JsonOption {
  readonly json?: boolean;
}

interface TrialOption extends JsonOption {
  readonly with?: readonly string[];
}

/** Text of a file that a repository may have brought, line by line. */
function shown(text: string): string {
  return escapeText(text, { keep: "\n\t" });
}

export async function policyShow(io: CliIo, { json }: JsonOption): Promise<number> {
  await using lumina = await createLuminaGuard();
  const { version, rules } = await lumina.policy.open(process.cwd());
  if (json === true) {
    const plain = rules.map(({ id, file, line, effect, text }) => ({
      id,
      file,
      line,
      effect,
      text,
    }));
    printJson(io, { version, preset: lumina.config.policyPreset, rules: plain });
    return exitCodes.done;
  }
  for (const { file, line, text } of rules) {
    io.stdout.write(`// ${escapeText(file)}:${line}\n${shown(text)}\n\n`);
  }
  say(
    io,
    `${rules.length} rules over the preset ${lumina.config.policyPreset}; version ${version}`,
  );
  return exitCodes.done;
}

export async function policyCheck(
  io: CliIo,
  paths: readonly string[],
  { json }: JsonOption,
): Promise<number> {
  await using lumina = await createLuminaGuard();
  const files = await checkPolicies(lumina.policy, paths, process.cwd());
  const wrong = files.filter(({ problems }) => problems.length > 0);
  const exitCode = wrong.length === 0 ? exitCodes.done : exitCodes.broken;
  if (json === true) {
    printJson(io, { files });
    return exitCode;
  }
  for (const { file, rules, problems } of files) {
    const count = `${rules} ${rules === 1 ? "rule" : "rules"}`;
    if (problems.length === 0) io.stdout.write(`${escapeText(file)}: ${count}\n`);
    for (const problem of problems) say(io, renderProblem(problem));
  }
  return exitCode;
}

function renderProblem({ file, message, hint, place }: PolicyProblem): string {
  const where = place === undefined ? "" : `:${place.line}:${place.column}`;
  const excerpt = place === undefined ? [] : shown(place.excerpt).split("\n");
  const lines = [...excerpt, ...(hint === undefined ? [] : [escapeText(hint)])];
  return [
    `${escapeText(file)}${where}: ${escapeText(message)}`,
    ...lines.map((line) => `  ${line}`),
  ].join("\n");
}

interface ExplainOptions extends TrialOption {
  readonly effect?: string;
  readonly fact?: readonly string[];
  readonly arg?: readonly string[];
  readonly who?: string;
  readonly tainted?: boolean;
}

export async function policyExplain(
  io: CliIo,
  file: string | undefined,
  options: ExplainOptions,
): Promise<number> {
  if ((file === undefined) === (options.effect === undefined)) {
    throw new LuminaGuardError("USAGE", "a question is a file, or the kind of an effect", {
      hint: "luminaguard policy explain --effect file-write-back",
    });
  }
  await using lumina = await createLuminaGuard();
  const question = file === undefined ? questionFrom(options) : await readJson(file);
  const more = options.with;
  const engine = await lumina.policy.open(process.cwd(), { more });
  const explanation = explainQuestion(engine, question);
  if (options.json === true) printJson(io, explanation);
  else io.stdout.write(`${renderExplanation(explanation)}\n`);
  return exitCodes.done;
}

function questionFrom({ effect, fact = [], arg = [], who, tainted }: ExplainOptions): unknown {
  return {
    effect: { kind: effect, ...Object.fromEntries(fact.map((each) => splitFact(each, parseWord))) },
    args: Object.fromEntries(arg.map((each) => splitFact(each, (text) => text))),
    ...(who === undefined ? {} : { who }),
    ...(tainted === undefined ? {} : { tainted }),
  };
}

function splitFact<T>(text: string, parse: (value: string) => T): readonly [string, T] {
  const equals = text.indexOf("=");
  if (equals > 0) return [text.slice(0, equals), parse(text.slice(equals + 1))];
  throw new LuminaGuardError("USAGE", `"${text}" is not NAME=VALUE`);
}

/** `true`, `12` and `["GET"]` as they are in JSON; any other word is text. */
function parseWord(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // no JSON, so a word
    return text;
  }
}

function renderExplanation({ question, verdict, changes }: Explanation): string {
  const { kind } = question.effect;
  const lines = [`${kind}: ${renderVerdict(verdict)}`];
  if (verdict.answer === "ask") lines.push("a person's yes would allow it");
  for (const change of changes) lines.push(`if ${change.if}: ${renderVerdict(change.verdict)}`);
  if (verdict.answer === "deny" && changes.length === 0) {
    lines.push("no single fact would change that, nor would a person's yes");
  }
  return lines.join("\n");
}

function renderVerdict({ answer, reason }: Verdict): string {
  return `${answer}, ${escapeText(reason)}`;
}

export async function policyTest(
  io: CliIo,
  file: string,
  { json, with: more }: TrialOption,
): Promise<number> {
  await using lumina = await createLuminaGuard();
  const results = await testCases(await lumina.policy.open(process.cwd(), { more }), file);
  const failed = results.filter(({ passed }) => !passed);
  const exitCode = failed.length === 0 ? exitCodes.done : exitCodes.broken;
  if (json === true) {
    printJson(io, { results });
    return exitCode;
  }
  for (const { name, expect, rule, verdict } of failed) {
    const by = rule === undefined ? "" : ` by ${rule}`;
    io.stdout.write(`${escapeText(name)}\n  expected ${expect}${escapeText(by)}\n`);
    io.stdout.write(`  got ${renderVerdict(verdict)}\n`);
  }
  say(io, `${results.length - failed.length} of ${results.length} cases as expected`);
  return exitCode;
}
