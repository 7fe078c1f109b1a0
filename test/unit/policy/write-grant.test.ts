import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cedarString } from "../../../src/policy/cedar-string.ts";
import { parsePolicyFile } from "../../../src/policy/policy-file.ts";
import type { EffectKind, GrantWish, Question } from "../../../src/policy/question.ts";
import { resourceOf } from "../../../src/policy/resource.ts";
import { readPreset } from "../../../src/policy/shipped.ts";
import { writeGrant } from "../../../src/policy/write-grant.ts";
import { askAbout, cedar, makeEngine, plainEffects, schema } from "../../support/policy.ts";

const wish: GrantWish = {
  who: "coder",
  effect: "mcp-call",
  tool: "git.push",
  run: "01JD2W6B5Q",
  task: "fix-prices",
  args: { "/repo": "acme/shop" },
};
const push = { ...plainEffects["mcp-call"], server: "git", tool: "push" };
const asked = askAbout(push, {
  who: "coder",
  tool: "git.push",
  run: "01JD2W6B5Q",
  task: "fix-prices",
  args: { "/repo": "acme/shop", "/force": "false" },
});
const balanced = makeEngine([await readPreset("balanced")]);

describe("a grant's text", () => {
  it("is one rule that a person can read", () => {
    expect(`\n${writeGrant(wish)}`).toMatchInlineSnapshot(`
      "
      permit (
        principal == Agent::"coder",
        action == Action::"mcp-call",
        resource == Tool::"git.push"
      )
      when {
        !context.tainted &&
        context.tool == "git.push" &&
        context.run == "01JD2W6B5Q" &&
        context.task == "fix-prices" &&
        resource.hasTag("/repo") &&
        resource.getTag("/repo") == "acme/shop"
      };
      "
    `);
  });

  it("is never for a network card", () => {
    const scope = { who: "run", effect: "network-card", tool: "machine.network-card" } as const;
    const rest = { resource: "user", run: "R1", task: null, args: {} };
    expect(() => writeGrant({ ...scope, ...rest })).toThrow(/never given by a grant/);
  });

  const granted = Object.values(plainEffects).filter(({ kind }) => kind !== "network-card");
  it.each(granted.map((effect) => [effect.kind, effect] as const))(
    "for %s passes the strict check of the schema and covers what it was made of",
    (kind, effect) => {
      const words = effect.kind === "host-command" ? effect.argv : [];
      const args = Object.fromEntries(words.map((word, at) => [`/argv/${at}`, word]));
      const question = askAbout(effect, { tool: "its.tool" });
      const text = writeGrant({
        ...{ who: "run", effect: kind, tool: "its.tool", run: "R1", task: null, args },
        resource: resourceOf(effect),
      });
      const rules = parsePolicyFile(cedar, schema, { name: "g", text, origin: "user" });
      expect(rules.map(({ effect: is }) => is)).toEqual(["permit"]);
      const engine = makeEngine([
        `permit (principal, action, resource) when { context.approval == "human" };`,
      ]);
      const grants = [{ id: "G1", text }];
      expect(engine.judge(question, grants)).toEqual({
        answer: "allow",
        rules: ["G1"],
        reason: "allowed by grant G1",
      });
      expect(engine.judge({ ...question, tainted: true }, grants).answer).toBe("ask");
      expect(engine.judge({ ...question, run: "R2" }, grants).answer).toBe("ask");
      expect(engine.judge({ ...question, who: "other" }, grants).answer).toBe("ask");
      expect(engine.judge({ ...question, tool: "other.tool" }, grants).answer).toBe("ask");
    },
  );
});

describe("a grant", () => {
  const grants = [{ id: "G1", text: writeGrant(wish) }];

  it("stands for a person's yes where its scope fits, and nowhere else", () => {
    expect(balanced.judge(asked, grants)).toMatchObject({ answer: "allow", rules: ["G1"] });
    const others: readonly Partial<Question>[] = [
      { who: "helper" },
      { tainted: true },
      { run: "01JD2W6B5R" },
      { task: "other" },
      { task: null },
      { args: { "/repo": "acme/shop2" } },
      { args: {} },
      { effect: { ...push, tool: "pull" } },
      { effect: { ...push, server: "hub" } },
    ];
    for (const other of others) {
      expect(balanced.judge({ ...asked, ...other }, grants).answer).toBe("ask");
    }
  });

  it("does not allow what is denied", () => {
    const denied = makeEngine(["forbid (principal, action, resource);"]);
    expect(denied.judge(asked, grants).answer).toBe("deny");
    expect(makeEngine([]).judge(asked, grants).answer).toBe("deny");
  });

  it("does not lift a forbid that only a person lifts", () => {
    const engine = makeEngine([
      `permit (principal, action, resource) when { context.approval == "human" };
       forbid (principal, action, resource) unless { context.approval == "human" };`,
    ]);
    expect(engine.judge(asked, grants).answer).toBe("ask");
  });

  it("for a host covers reading from it and no sending", () => {
    const network = { ...plainEffects["network-grant"], isFirstContact: false };
    const text = writeGrant({
      ...{ who: "run", effect: "network-grant", tool: "net", resource: "API.Example.org" },
      ...{ run: null, task: null, args: {} },
    });
    const answer = (methods: string[]): string =>
      balanced.judge(askAbout({ ...network, methods }, { tool: "net" }), [{ id: "G", text }])
        .answer;
    expect([["GET"], ["GET", "HEAD"], ["POST"], ["GET", "put"]].map(answer)).toEqual([
      "allow",
      "allow",
      "ask",
      "ask",
    ]);
  });

  it.each([
    ["no rule", "this is no rule"],
    ["two rules", `${writeGrant(wish)}${writeGrant(wish)}`],
    ["a forbid", writeGrant(wish).replace("permit", "forbid")],
  ])("that is %s denies everything and says so", (_what, text) => {
    const verdict = balanced.judge(asked, [{ id: "G7", text }]);
    expect(verdict).toMatchObject({ answer: "deny", rules: [] });
    expect(verdict.reason).toContain("grant G7");
  });
});

describe("a grant is refused", () => {
  const base = { who: "coder", run: null, task: null, args: {} };
  const command = (...argv: string[]): GrantWish => ({
    ...{ ...base, effect: "host-command", tool: "host.command", resource: argv[0] },
    args: Object.fromEntries(argv.map((word, at) => [`/argv/${at}`, word])),
  });

  it.each([
    ...["sh", "/bin/bash", "zsh-5.9", "BASH.EXE", String.raw`C:\Windows\cmd.exe`, "busybox"],
    ...["env", "sudo", "xargs", "nice", "timeout", "nohup", "stdbuf", "find", "ssh", "docker"],
    ...["python", "python3", "python3.11", "/usr/bin/perl5.36", "node", "ruby2.7", "lua5.4"],
    ...["npm", "make", "git", "tar", "sed", "awk", "vim", "tsx", "jiti", "qemu-system-x86_64", ""],
  ])("for the program %j, which runs what it is given", (program) => {
    expect(() => writeGrant(command(program, "-c", "x"))).toThrow(
      expect.objectContaining({ code: "GRANT_REFUSED" }),
    );
  });

  it.each([
    "shell.exec",
    "dev.run_command",
    "x.executeScript",
    "python.eval",
    "bash.x",
    "a.RunCode",
  ])("for the tool %s, which runs code", (tool) => {
    expect(() => writeGrant({ ...base, effect: "mcp-call", tool })).toThrow(
      expect.objectContaining({ code: "GRANT_REFUSED" }),
    );
  });

  it("for a command with less than all of its words", () => {
    expect(writeGrant(command("notify", "done"))).toContain(String.raw`"[\"notify\",\"done\"]"`);
    for (const args of [{}, { "/argv/1": "done" }, { "/argv/0": "other" }]) {
      expect(() => writeGrant({ ...command("notify"), args })).toThrow("all of its words");
    }
  });

  it("for an effect on nothing in particular", () => {
    for (const effect of Object.keys(plainEffects) as EffectKind[]) {
      if (effect === "mcp-call") continue;
      expect(() => writeGrant({ ...base, effect, tool: "x" })).toThrow("names its");
    }
  });

  it("for policy and for grants themselves", () => {
    for (const resource of ["policy", "grant"]) {
      expect(() => writeGrant({ ...base, effect: "policy-change", tool: "x", resource })).toThrow(
        "never changed by a grant",
      );
    }
  });

  it("for a task of any run, for half of a character, and for no effect at all", () => {
    for (const more of [{ task: "t" }, { who: "\udc00" }, { effect: "toString" as EffectKind }]) {
      expect(() => writeGrant({ ...wish, run: null, task: null, ...more })).toThrow(
        expect.objectContaining({ code: "USAGE" }),
      );
    }
  });
});

describe("any text", () => {
  const anyText = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: fc.constantFrom('"', "\\", "*", "}", ";", "\n", "/", "u{22}", "\u202e") }),
  );

  it("is read back by the engine as it was", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const rule = `permit (principal == Agent::${cedarString(text)}, action, resource);`;
        const parsed = cedar.policyToJson(rule);
        expect(parsed).toMatchObject({ json: { principal: { entity: { id: text } } } });
      }),
      { numRuns: 500 },
    );
  });

  it("is written without anything that a terminal would act on or hide", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(cedarString(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{M}\u00a0\u3164]/u);
      }),
    );
  });

  it("in any place of a grant makes one rule, which covers just that", () => {
    const engine = makeEngine([
      `permit (principal, action, resource) when { context.approval == "human" };`,
    ]);
    const texts = fc.tuple(anyText, anyText, anyText, anyText, anyText, anyText);
    fc.assert(
      fc.property(texts, ([who, run, task, server, key, value]) => {
        const effect = { ...push, server };
        const own = askAbout(effect, { who, run, task, args: { [`/${key}`]: value } });
        const text = writeGrant({
          ...{ who, run, task, effect: "mcp-call", tool: own.tool, args: own.args },
          resource: resourceOf(effect),
        });
        const grants = [{ id: "G", text }];
        expect(engine.judge(own, grants).answer).toBe("allow");
        expect(engine.judge({ ...own, who: `${who}x` }, grants).answer).toBe("ask");
        expect(engine.judge({ ...own, run: `${run}x` }, grants).answer).toBe("ask");
        const args = { [`/${key}`]: `${value}x` };
        expect(engine.judge({ ...own, args }, grants).answer).toBe("ask");
      }),
      { numRuns: 100 },
    );
  });
});
