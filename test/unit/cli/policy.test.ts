import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runProgram } from "../../../src/cli/program.ts";
import { createFakeIo } from "../../support/fake-io.ts";
import { makeTempDir } from "../../support/make-tree.ts";
import { projectFolder } from "../../support/repository.ts";

let temp: ReturnType<typeof makeTempDir>;
beforeEach(() => {
  temp = makeTempDir();
  vi.stubEnv("LUMINAGUARD_CONFIG_DIR", join(temp.path, "config"));
  vi.stubEnv("LUMINAGUARD_CACHE_DIR", join(temp.path, "cache"));
  vi.stubEnv("LUMINAGUARD_STATE_DIR", join(temp.path, "state"));
  vi.stubEnv("LUMINAGUARD_RUNTIME_DIR", join(temp.path, "run"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  temp[Symbol.dispose]();
});

async function policy(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const { io, stdout, stderr } = createFakeIo();
  const code = await runProgram(["policy", ...argv], io, "1.2.3");
  return { code, out: stdout(), err: stderr() };
}

function file(name: string, text: string): string {
  const path = join(temp.path, name);
  writeFileSync(path, text);
  return path;
}

const secretUse = 'forbid (principal, action == Action::"secret-use", resource)';
const examples = join(projectFolder, "examples/policy");

describe("policy check", () => {
  it("says how many rules a file has", async () => {
    const path = join(examples, "shop.cedar");
    expect(await policy("check", path)).toEqual({ code: 0, out: `${path}: 4 rules\n`, err: "" });
  });

  it("says where a file is wrong, in characters, and what it may have meant", async () => {
    const path = file(
      "bad.cedar",
      `// ü\npermit (principal, action == Action::"spend", resource)\n  when { context.amount > 3 };`,
    );
    const { code, out, err } = await policy("check", path);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err.replace(temp.path, "")).toMatchInlineSnapshot(`
      "/bad.cedar:3:10: attribute \`amount\` in context for Action::"spend" not found
          when { context.amount > 3 };
                 ^
        did you mean \`run\`?
      "
    `);
  });

  it("finds every mistake, also of form", async () => {
    const path = file("worse.cedar", `permit (principal, action, resource) when { "`);
    expect(await policy("check", path)).toMatchObject({ code: 1, out: "" });
    const twice = file("twice.cedar", `@id("a") forbid (principal, action, resource);`.repeat(2));
    expect((await policy("check", twice)).err).toContain('there is another rule "a" in the file');
  });

  it.each([
    [`forbid (principal, action, resource in Host::"Evil.org");`, "Evil.org", "evil.org"],
    [`forbid (principal, action, resource) when { resource == Host::"a.b." };`, "a.b.", "a.b"],
    [`forbid (principal, action, resource is Host in Host::"B.c");`, "B.c", "b.c"],
    [`${secretUse} when { context.host == "A.b" };`, "A.b", "a.b"],
    [`${secretUse} when { ["x", "Y.z"].contains(context.host) };`, "Y.z", "y.z"],
    [`${secretUse} when { context["host"] like "*.Ex.*" };`, ".Ex.", ".ex."],
  ])(
    "finds a rule that would never fire, for how it spells a host: %s",
    async (text, host, right) => {
      const { code, err } = await policy("check", file("hosts.cedar", `\n${text}`));
      expect(code).toBe(1);
      expect(err).toContain(`hosts.cedar:2:1: "1" never matches the host "${host}"`);
      expect(err).toContain(`write "${right}"`);
    },
  );

  it("takes hosts as they are compared, and capitals where no host is meant", async () => {
    const rules = [
      `forbid (principal, action, resource in Host::"evil.org");`,
      `forbid (principal, action, resource == Payee::"Host Ltd.");`,
      `${secretUse} when { context.host like "example.*" && context.run == "R1" };`,
    ];
    expect(await policy("check", file("fine.cedar", rules.join("\n")))).toMatchObject({ code: 0 });
  });

  it("judges a repository's file by a repository's rules", async () => {
    mkdirSync(join(temp.path, ".luminaguard"));
    const path = file(".luminaguard/policy.cedar", "permit (principal, action, resource);");
    expect((await policy("check", path)).err).toContain("a policy in a repository can only forbid");
    writeFileSync(path, readFileSync(join(examples, "repository.cedar")));
    expect(await policy("check", path)).toMatchObject({ code: 0 });
  });

  it("gives one JSON document", async () => {
    const { code, out } = await policy("check", "--json", file("x.cedar", "nonsense"));
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      files: [{ rules: 0, problems: [{ place: { line: 1 } }] }],
    });
  });
});

describe("policy explain", () => {
  it("names the rule, and says what a person's yes and other facts would change", async () => {
    const { code, out } = await policy(
      ...["explain", "--effect", "mcp-call", "--fact", "harm=destructive", "--tainted"],
    );
    expect(code).toBe(0);
    expect(out).toBe(
      `mcp-call: ask, asked by balanced.cedar: "ask-before-tool-call"
a person's yes would allow it
if you had called the tool harmless: allow, allowed by balanced.cedar: "harmless-tool-passes"
`,
    );
  });

  it("reads a question from a file, and judges by a file that is not in force yet", async () => {
    const question = file(
      "question.json",
      `{ "effect": { "kind": "spend", "amountMinor": 9000 } }`,
    );
    const shop = join(examples, "shop.cedar");
    const { out } = await policy("explain", question, "--with", shop, "--json");
    expect(JSON.parse(out)).toMatchObject({
      verdict: { answer: "deny", rules: [`${shop}:small-change-only`] },
      question: { risk: "high", tool: "spend" },
    });
  });

  it.each([
    [[], "a question is a file, or the kind of an effect"],
    [["--effect", "wish"], "effect.kind"],
    [["--effect", "spend", "--fact", "amountMinor=-1"], "effect.amountMinor"],
    [["--effect", "spend", "--fact", "much"], '"much" is not NAME=VALUE'],
    [["no-such-file.json"], "cannot read no-such-file.json"],
  ])("refuses %j", async (argv, message) => {
    const { code, err } = await policy("explain", ...argv);
    expect({ code, err }).toEqual({ code: 125, err: expect.stringContaining(message) as string });
  });
});

describe("policy test", () => {
  it("passes the cases of the example", async () => {
    const shop = join(examples, "shop.cedar");
    expect(await policy("test", join(examples, "cases.json"), "--with", shop)).toEqual({
      code: 0,
      out: "",
      err: "8 of 8 cases as expected\n",
    });
  });

  it("names each case that fails, with what decided", async () => {
    const cases = file(
      "cases.json",
      `[{ "name": "files pass", "question": { "effect": { "kind": "file-write-back" } }, "expect": "allow" },
        { "name": "by that rule", "question": { "effect": { "kind": "spend" } }, "expect": "ask", "rule": "x" }]`,
    );
    const { code, out, err } = await policy("test", cases);
    expect({ code, err }).toEqual({ code: 1, err: "0 of 2 cases as expected\n" });
    expect(out).toBe(`files pass
  expected allow
  got ask, asked by balanced.cedar: "ask-before-write-back"
by that rule
  expected ask by x
  got ask, asked by balanced.cedar: "ask-about-the-rest"
`);
  });
});

describe("policy show", () => {
  it("shows the preset and the person's own rules, each with its file", async () => {
    vi.stubEnv("LUMINAGUARD_POLICY_PRESET", "locked");
    mkdirSync(join(temp.path, "config/policy"), { recursive: true });
    file("config/policy/mine.cedar", '// mine\n@id("no") forbid (principal, action, resource);');
    const { code, out, err } = await policy("show");
    expect(code).toBe(0);
    expect(out).toContain('// locked.cedar:4\n@id("no-new-host")');
    expect(out).toContain(
      '// policy/mine.cedar:2\n@id("no") forbid (principal, action, resource);',
    );
    expect(err).toMatch(/^5 rules over the preset locked; version sha256:/);
  });

  it("says what is wrong with the preset's name", async () => {
    vi.stubEnv("LUMINAGUARD_POLICY_PRESET", "balance");
    expect((await policy("show")).err).toContain('did you mean "balanced"?');
  });
});
