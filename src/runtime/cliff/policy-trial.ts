/** Policy tried before anything asks for it: is it well written, and what does it answer? */
import { readFile } from "node:fs/promises";
import { assess } from "../../approvals/risk.ts";
import { isLuminaGuardError, LuminaGuardError, messageOf } from "../../errors.ts";
import { parseCases, parseJson, runCase } from "../../policy/cases.ts";
import type { CaseResult } from "../../policy/cases.ts";
import { loadCedar } from "../../policy/cedar.ts";
import { explain } from "../../policy/explain.ts";
import type { Explanation } from "../../policy/explain.ts";
import { parseQuestion } from "../../policy/parse-question.ts";
import { parsePolicyFile } from "../../policy/policy-file.ts";
import type { PolicyProblem } from "../../policy/policy-file.ts";
import { readSchema } from "../../policy/shipped.ts";
import type { PolicyDesk, PolicyInForce } from "./policy-desk.ts";

export interface CheckedFile {
  readonly file: string;
  readonly rules: number;
  readonly problems: readonly PolicyProblem[];
}

/**
 * Files by their paths; none: those in force. A problem is a value here. Raises POLICY_INVALID for
 * what cannot be read at all.
 */
export async function checkPolicies(
  desk: PolicyDesk,
  paths: readonly string[],
  workspaceRoot: string,
): Promise<readonly CheckedFile[]> {
  const reading = paths.length === 0 ? desk.readFiles(workspaceRoot) : desk.readNamed(paths);
  const [files, cedar, schema] = await Promise.all([reading, loadCedar(), readSchema()]);
  return files.map((file): CheckedFile => {
    const { name } = file;
    try {
      return { file: name, rules: parsePolicyFile(cedar, schema, file).length, problems: [] };
    } catch (error) {
      if (!isLuminaGuardError(error, "POLICY_INVALID")) throw error;
      const problems = error.details["problems"] as readonly PolicyProblem[];
      return { file: name, rules: 0, problems };
    }
  });
}

/** Raises USAGE for what is no question. */
export function explainQuestion(engine: PolicyInForce, question: unknown): Explanation {
  return explain(engine, parseQuestion(question, assessRisk));
}

/** A file of cases, judged. Raises USAGE for what is none. */
export async function testCases(
  engine: PolicyInForce,
  path: string,
): Promise<readonly CaseResult[]> {
  const cases = parseCases(await readText(path), assessRisk);
  return cases.map((each) => runCase(engine, each));
}

/** JSON from a file that a person named. Raises USAGE. */
export async function readJson(path: string): Promise<unknown> {
  return parseJson(await readText(path));
}

function assessRisk(...question: Parameters<typeof assess>): ReturnType<typeof assess>["risk"] {
  return assess(...question).risk;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new LuminaGuardError("USAGE", `cannot read ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
