import { describe, expect, it } from "vitest";
import { readPreset } from "../../../src/policy/shipped.ts";
import { askAbout, makeEngine, plainEffects } from "../../support/policy.ts";

const files = plainEffects["file-write-back"];
const landing = plainEffects["git-landing"];
const call = plainEffects["mcp-call"];

const allowAll = '@id("all") permit (principal, action, resource);';

describe("a verdict", () => {
  it("is a deny where there is no rule", () => {
    expect(makeEngine([]).judge(askAbout(files), [])).toEqual({
      answer: "deny",
      rules: [],
      reason: "no rule allows file-write-back",
    });
  });

  it("names the file and the rule that decided", async () => {
    const engine = makeEngine([await readPreset("balanced")]);
    expect(engine.judge(askAbout(files), [])).toEqual({
      answer: "ask",
      rules: ["balanced.cedar:ask-before-write-back"],
      reason: 'asked by balanced.cedar: "ask-before-write-back"',
    });
    expect(engine.judge(askAbout({ ...landing, isForced: true }), [])).toEqual({
      answer: "deny",
      rules: ["balanced.cedar:never-land-by-force"],
      reason: 'forbidden by balanced.cedar: "never-land-by-force"',
    });
    expect(engine.judge(askAbout({ ...call, harm: "harmless" }), [])).toMatchObject({
      answer: "allow",
      rules: ["balanced.cedar:harmless-tool-passes"],
    });
  });

  it("is a deny when one rule of many forbids", () => {
    const engine = makeEngine([
      allowAll,
      { name: "mine.cedar", text: '@id("no") forbid (principal, action, resource);' },
    ]);
    expect(engine.judge(askAbout(files), [])).toMatchObject({
      answer: "deny",
      rules: ["mine.cedar:no"],
    });
  });

  it("is an ask when only a person's yes lifts what forbids, and names that rule", () => {
    const engine = makeEngine([
      allowAll,
      {
        name: "careful.cedar",
        text: `@id("look") forbid (principal, action, resource)
          unless { context.approval == "human" };`,
      },
    ]);
    expect(engine.judge(askAbout(files), [])).toMatchObject({
      answer: "ask",
      rules: ["careful.cedar:look", "test.cedar:all"],
    });
  });

  it("is a deny when a rule cannot be evaluated, though another permits", () => {
    const engine = makeEngine([
      `${allowAll} @id("sum") permit (principal, action == Action::"spend", resource)
       when { context.amountMinor * 9223372036854775807 > 0 };`,
    ]);
    const verdict = engine.judge(askAbout(plainEffects["spend"]), []);
    expect(verdict).toMatchObject({ answer: "deny", rules: [] });
    expect(verdict.reason).toMatch(/^denied, as judging failed: test\.cedar:sum: .*overflow/);
  });

  it.each([
    ["half of a character", askAbout(files, { who: "\ud800" })],
    ["a number that is not whole", askAbout({ ...files, added: 0.5 })],
    ["a number that is none", askAbout({ ...files, added: Number.NaN })],
    ["a kind nobody knows", askAbout({ ...files, kind: "wish" } as unknown as typeof files)],
    ["nothing", undefined as unknown as ReturnType<typeof askAbout>],
  ])("is a deny for a question with %s", (_what, question) => {
    const verdict = makeEngine([allowAll]).judge(question, []);
    expect(verdict).toMatchObject({ answer: "deny", rules: [] });
    expect(verdict.reason).toMatch(/^denied, as judging failed: \S/);
  });
});

describe("what a rule can say", () => {
  it.each([
    ["an argument", 'resource.hasTag("/repo") && resource.getTag("/repo") == "acme/shop"'],
    ["a pattern", 'resource.hasTag("/repo") && resource.getTag("/repo") like "acme/*"'],
    ["a name that is an argument", 'resource.hasTag(context.tool) || resource.hasTag("/repo")'],
    ["a tool's server", 'resource in Server::"shop"'],
    ["the risk", "context.risk >= 2 && context.risk < 3"],
    ["the run", 'context.run == "R1" && context.task == ""'],
    ["how often a person was asked", "context.promptsInRun < 1"],
  ])("%s", (_what, condition) => {
    const engine = makeEngine([
      `permit (principal, action == Action::"mcp-call", resource) when { ${condition} };`,
    ]);
    const question = askAbout(call, { args: { "/repo": "acme/shop" } });
    expect(engine.judge(question, []).answer).toBe("allow");
    const other = askAbout(
      { ...call, server: "other" },
      { risk: "low", run: "R2", promptsInRun: 1, args: { "/repository": "acme/shop" } },
    );
    expect(engine.judge(other, []).answer).toBe("deny");
  });

  it("a folder and what is below it", () => {
    const engine = makeEngine([`permit (principal, action, resource in Folder::"/home/ada");`]);
    for (const root of ["/home/ada", "/home/ada/shop", "/home/ada/a/b/c"]) {
      expect(engine.judge(askAbout({ ...files, root }), []).answer).toBe("allow");
    }
    for (const root of ["/", "/home", "/home/adam", "home/ada", "/x/home/ada"]) {
      expect(engine.judge(askAbout({ ...files, root }), []).answer).toBe("deny");
    }
  });

  it("a domain and its hosts, in any case, and no address", () => {
    const engine = makeEngine([`permit (principal, action, resource in Host::"example.org");`]);
    const to = (host: string): string =>
      engine.judge(askAbout({ ...plainEffects["network-grant"], host }), []).answer;
    expect(["example.org", "API.example.ORG", "a.b.example.org."].map(to)).toEqual(
      Array(3).fill("allow"),
    );
    expect(["example.org.evil.net", "badexample.org", "org", "10.0.0.1"].map(to)).toEqual(
      Array(4).fill("deny"),
    );
    const address = makeEngine([`permit (principal, action, resource in Host::"0.0.1");`]);
    expect(
      address.judge(askAbout({ ...plainEffects["network-grant"], host: "10.0.0.1" }), []).answer,
    ).toBe("deny");
  });

  it("a command's words, which are those that run and not what the asker calls them", () => {
    const engine = makeEngine([
      String.raw`permit (principal, action, resource == Program::"notify")
        when { context.commandLine like "[\"notify\",\"do*" && resource.getTag("/argv/1") == "done" };`.replace(
        "resource.getTag",
        'resource.hasTag("/argv/1") && resource.getTag',
      ),
    ]);
    const command = plainEffects["host-command"];
    expect(engine.judge(askAbout(command), []).answer).toBe("allow");
    const claimed = askAbout(
      { ...command, argv: ["notify", "do-evil"] },
      { args: { "/argv/1": "done" } },
    );
    expect(engine.judge(claimed, []).answer).toBe("deny");
  });

  it("two tools of different servers never have one name", () => {
    const engine = makeEngine([`permit (principal, action, resource == Tool::"a.b.c");`]);
    const of = (server: string, tool: string): string =>
      engine.judge(askAbout({ ...call, server, tool }), []).answer;
    expect([of("a", "b.c"), of("a.b", "c"), of('"a', 'b".c')]).toEqual(["allow", "deny", "deny"]);
  });
});

describe("the version", () => {
  it("is the same for the same rules in other files and in another order", () => {
    const [one, two] = [
      "permit (principal, action, resource);",
      "forbid (principal, action, resource);",
    ];
    const a = makeEngine([{ name: "a.cedar", text: `${one}\n${two}` }]);
    const b = makeEngine([{ name: "b.cedar", text: `// words\n${two}\n\n${one}` }]);
    expect(a.version).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(b.version).toBe(a.version);
  });

  it("changes with any rule", () => {
    const versions = [
      [],
      [allowAll],
      [allowAll.replace("all", "any")],
      [allowAll, { name: "b.cedar", text: allowAll }],
    ].map((files) => makeEngine(files).version);
    expect(new Set(versions).size).toBe(versions.length);
  });
});
