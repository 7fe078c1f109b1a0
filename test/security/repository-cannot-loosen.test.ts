/**
 * A policy that comes with a repository can only tighten (A8). Prior art: CVE-2026-25725 and
 * GHSA-mmgp-wc2j-qcv7, where a project's own settings loosened what its agent may do.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PolicyFile } from "../../src/policy/policy-file.ts";
import type { Answer, Verdict } from "../../src/policy/question.ts";
import { writeGrant } from "../../src/policy/write-grant.ts";
import { PolicyDesk } from "../../src/runtime/cliff/policy-desk.ts";
import { makeTempDir } from "../support/make-tree.ts";
import { askAbout, makeEngine, plainEffects } from "../support/policy.ts";
import { anyForbids, anyPolicy, anyQuestion } from "../support/random-policy.ts";

const path = ".luminaguard/policy.cedar";
const strictness: Readonly<Record<Answer, number>> = { allow: 0, ask: 1, deny: 2 };
const files = askAbout(plainEffects["file-write-back"]);

/** The verdict about a write-back in a repository, whose `.luminaguard` is made by `write`. */
async function judgeIn(write: (folder: string, base: string) => void): Promise<Verdict> {
  using temp = makeTempDir();
  const root = join(temp.path, "repository");
  mkdirSync(join(root, ".luminaguard"), { recursive: true });
  write(join(root, ".luminaguard"), temp.path);
  const configDir = join(temp.path, "config");
  const desk = new PolicyDesk({ configDir, policyPreset: "balanced" });
  return (await desk.open(root)).judge(files, []);
}

describe("a policy in a repository", () => {
  it("forbids", async () => {
    const verdict = await judgeIn((folder) => {
      writeFileSync(join(folder, "policy.cedar"), "forbid (principal, action, resource);");
    });
    expect(verdict).toEqual({
      answer: "deny",
      rules: [`${path}:1`],
      reason: `forbidden by ${path}: "1"`,
    });
  });

  it("that permits is refused, with the line and what to do", async () => {
    const judging = judgeIn((folder) => {
      writeFileSync(
        join(folder, "policy.cedar"),
        `// all is well
forbid (principal, action == Action::"spend", resource);
@id("trust-me") permit (principal, action, resource);`,
      );
    });
    await expect(judging).rejects.toMatchObject({
      code: "POLICY_INVALID",
      message: `${path}:3:1: "trust-me" permits; a policy in a repository can only forbid`,
      hint: "move it to your own policy folder, or write what it should forbid",
    });
  });

  it.each<[string, (folder: string, base: string) => void, RegExp]>([
    [
      "no policy",
      (folder) => writeFileSync(join(folder, "policy.cedar"), "forbid everything"),
      /unexpected token/,
    ],
    [
      "not text",
      (folder) => writeFileSync(join(folder, "policy.cedar"), Buffer.from([0x2f, 0x2f, 0xff])),
      /is not text in UTF-8/,
    ],
    [
      "too large",
      (folder) => {
        writeFileSync(join(folder, "policy.cedar"), "");
        truncateSync(join(folder, "policy.cedar"), 2 ** 40);
      },
      /is larger than 64 KiB/,
    ],
    [
      "a link",
      (folder, base) => {
        writeFileSync(join(base, "elsewhere"), "");
        symlinkSync(join(base, "elsewhere"), join(folder, "policy.cedar"));
      },
      /is a link/,
    ],
    [
      "a pipe that nobody writes to",
      (folder) => void execFileSync("mkfifo", [join(folder, "policy.cedar")]),
      /is no plain file/,
    ],
    [
      "a folder",
      (folder) => {
        mkdirSync(join(folder, "policy.cedar"));
      },
      /is no plain file/,
    ],
  ])("that is %s allows nothing", async (_what, write, message) => {
    await expect(judgeIn(write)).rejects.toMatchObject({
      code: "POLICY_INVALID",
      message: expect.stringMatching(message) as string,
    });
  });

  it("in a folder that is a link allows nothing", async () => {
    using temp = makeTempDir();
    mkdirSync(join(temp.path, "elsewhere"));
    symlinkSync(join(temp.path, "elsewhere"), join(temp.path, ".luminaguard"));
    const desk = new PolicyDesk({ configDir: temp.path, policyPreset: "balanced" });
    await expect(desk.open(temp.path)).rejects.toThrow("is no folder");
  });

  it("is not needed", async () => {
    expect((await judgeIn(() => undefined)).answer).toBe("ask");
  });
});

it("no repository's rules make any verdict less strict", () => {
  const own = anyPolicy(fc.constantFrom("permit", "permit", "forbid"));
  const theirs = anyForbids;
  const questions = fc.array(anyQuestion, { minLength: 20, maxLength: 20 });
  let tightened = 0;
  fc.assert(
    fc.property(own, theirs, questions, (ownText, theirText, asked) => {
      const mine: PolicyFile = { name: "mine.cedar", text: ownText, origin: "shipped" };
      const their: PolicyFile = { name: path, text: theirText, origin: "shipped" };
      const without = makeEngine([mine]);
      const withTheirs = makeEngine([mine, their]);
      for (const question of asked) {
        const { who, run, task, args, effect, tool } = question;
        const wish = { who, run, task, args, effect: effect.kind, tool };
        const grants = effect.kind === "mcp-call" ? [{ id: "G", text: writeGrant(wish) }] : [];
        const alone = strictness[without.judge(question, grants).answer];
        const together = strictness[withTheirs.judge(question, grants).answer];
        expect(together).toBeGreaterThanOrEqual(alone);
        if (together > alone) tightened += 1;
      }
    }),
    { numRuns: 100 },
  );
  // some hundreds of 2,000, by chance: what is drawn does meet
  expect(tightened).toBeGreaterThan(10);
});
