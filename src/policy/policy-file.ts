/**
 * A policy file becomes rules, or an error that says where it is wrong. Files of a repository may
 * forbid and nothing else: whoever can write there is whom the policy is for.
 */
import type { Cedar, DetailedError } from "./cedar.ts";
import { LuminaGuardError } from "../errors.ts";
import { findMisspeltHosts } from "./host-spelling.ts";
import { parseRule, scopeOf } from "./rule.ts";
import type { Rule } from "./rule.ts";
import { placeOf, positionOfByte } from "./source-place.ts";
import type { SourcePlace } from "./source-place.ts";

export interface PolicyFile {
  /** short and for people; begins the ids of its rules */
  readonly name: string;
  readonly text: string;
  /** `shipped` was checked when it was made; a `repository` can only tighten */
  readonly origin: "shipped" | "user" | "repository";
}

/** What is wrong with a file. In `details.problems` of a POLICY_INVALID. */
export interface PolicyProblem {
  readonly file: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** undefined: nowhere in particular */
  readonly place: SourcePlace | undefined;
}

/** most rules of one file */
const rulesMax = 2_000;

/** The rules of a file, in its order, checked against the schema unless shipped. Raises POLICY_INVALID. */
export function parsePolicyFile(cedar: Cedar, schema: string, file: PolicyFile): readonly Rule[] {
  const problems = checkForm(cedar, file);
  if (problems.length > 0) throw policyInvalid(problems);
  const rules = splitRules(cedar, file);
  const wrong = [
    ...(file.origin === "shipped" ? [] : checkTypes(cedar, schema, file)),
    ...checkNames(file, rules),
    ...checkHosts(cedar, file, rules),
    ...(file.origin === "repository" ? refusePermits(file, rules) : []),
  ];
  if (wrong.length > 0) throw policyInvalid(wrong);
  return rules;
}

/** All problems in one error; the first is its message. */
export function policyInvalid(problems: readonly PolicyProblem[]): LuminaGuardError {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  const message = first === undefined ? "a policy is invalid" : `${renderProblem(first)}${more}`;
  const hint = first?.hint ?? "luminaguard policy check FILE  shows the place";
  return new LuminaGuardError("POLICY_INVALID", message, { hint, details: { problems } });
}

/** `FILE:LINE:COLUMN: MESSAGE` */
export function renderProblem({ file, place, message }: PolicyProblem): string {
  const where = place === undefined ? file : `${file}:${place.line}:${place.column}`;
  return `${where}: ${message}`;
}

function checkForm(cedar: Cedar, file: PolicyFile): readonly PolicyProblem[] {
  if (!file.text.isWellFormed()) return [problemAt(file, "is not text in UTF-8", undefined, 0)];
  const answer = cedar.checkParsePolicySet({ staticPolicies: file.text });
  if (answer.type === "failure") return answer.errors.map((error) => fromEngine(file, error));
  return [];
}

function checkTypes(cedar: Cedar, schema: string, file: PolicyFile): readonly PolicyProblem[] {
  const answer = cedar.validate({ schema, policies: { staticPolicies: file.text } });
  if (answer.type === "failure") return answer.errors.map((error) => fromEngine(file, error));
  return answer.validationErrors.map(({ error }) => fromEngine(file, error));
}

function checkNames(file: PolicyFile, rules: readonly Rule[]): readonly PolicyProblem[] {
  return rules
    .filter(({ name }, index) => rules.findIndex((rule) => rule.name === name) < index)
    .map((rule) => ({
      ...problemAt(file, `there is another rule "${rule.name}" in the file`),
      place: placeOfLine(file, rule.line),
    }));
}

/** A rule about a host that no question ever names is a mistake, and in a forbid a dangerous one. */
function checkHosts(
  cedar: Cedar,
  file: PolicyFile,
  rules: readonly Rule[],
): readonly PolicyProblem[] {
  return rules
    .filter(({ text }) => /host/i.test(text))
    .flatMap((rule) =>
      [...findMisspeltHosts(parseRule(cedar, rule.text))].map(([host, right]) => ({
        ...problemAt(
          file,
          `"${rule.name}" never matches the host ${JSON.stringify(host)}`,
          `write ${JSON.stringify(right)}: hosts are compared in lower case, without a dot at the end`,
        ),
        place: placeOfLine(file, rule.line),
      })),
    );
}

function refusePermits(file: PolicyFile, rules: readonly Rule[]): readonly PolicyProblem[] {
  return rules
    .filter(({ effect }) => effect === "permit")
    .map((rule) => ({
      ...problemAt(
        file,
        `"${rule.name}" permits; a policy in a repository can only forbid`,
        "move it to your own policy folder, or write what it should forbid",
      ),
      place: placeOfLine(file, rule.line),
    }));
}

function placeOfLine({ text }: PolicyFile, line: number): SourcePlace {
  const lines = text.split("\n").slice(0, line - 1);
  return placeOf(
    text,
    lines.reduce((sum, each) => sum + each.length + 1, 0),
  );
}

function problemAt(file: PolicyFile, message: string, hint?: string, at?: number): PolicyProblem {
  const place = at === undefined ? undefined : placeOf(file.text, at);
  return { file: file.name, message, hint, place };
}

function fromEngine(file: PolicyFile, error: DetailedError): PolicyProblem {
  const [at] = error.sourceLocations ?? [];
  const position = at === undefined ? undefined : positionOfByte(file.text, at.start);
  const label = at?.label ?? null;
  // the engine numbers the rules of a file; the place says it better
  const message = error.message.replace(/^(failed to parse .*?: |for policy `[^`]*`, )/, "");
  const hint = error.help?.replace(/^for policy `[^`]*`, /, "");
  return problemAt(file, label === null ? message : `${message}, ${label}`, hint, position);
}

/** Each rule with its place. The engine gives their texts sorted by "policy0", "policy1", "policy10", … */
function splitRules(cedar: Cedar, file: PolicyFile): readonly Rule[] {
  const bare = blankComments(file.text);
  const answer = cedar.policySetTextToParts(bare);
  if (answer.type === "failure") {
    throw policyInvalid(answer.errors.map((error) => fromEngine(file, error)));
  }
  const { policies } = answer;
  if (policies.length > rulesMax) {
    throw policyInvalid([problemAt(file, `has more than ${rulesMax} rules`)]);
  }
  const order = policies.map((_, index) => index).sort((a, b) => (`${a}` < `${b}` ? -1 : 1));
  const inOrder = policies.map((_, index) => policies[order.indexOf(index)] ?? "");
  let from = 0;
  return inOrder.map((part, index) => {
    const start = bare.indexOf(part, from);
    if (start === -1)
      throw policyInvalid([problemAt(file, `rule ${index + 1} is not in the file`)]);
    from = start + part.length;
    const json = parseRule(cedar, part);
    const name = json.annotations?.["id"] || `${index + 1}`;
    return {
      id: `${file.name}:${name}`,
      file: file.name,
      name,
      effect: json.effect,
      text: file.text.slice(start, from),
      line: bare.slice(0, start).split("\n").length,
      scope: scopeOf(json),
    };
  });
}

/** Comments become spaces, so that every character keeps its place. */
function blankComments(text: string): string {
  return text.replace(/"(?:\\[^]|[^"\\])*"|\/\/[^\n\r]*/g, (match) =>
    match.startsWith("//") ? " ".repeat(match.length) : match,
  );
}
