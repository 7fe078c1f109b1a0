/** What the shipped policy answers: every kind of effect, its facts that matter, in each preset. */
import { beforeAll, describe, expect, it } from "vitest";
import type { CedarEngine } from "../../../src/policy/engine.ts";
import type { Answer, Effect } from "../../../src/policy/question.ts";
import { presets, readPreset } from "../../../src/policy/shipped.ts";
import type { Preset } from "../../../src/policy/shipped.ts";
import { parsePolicyFile } from "../../../src/policy/policy-file.ts";
import { askAbout, cedar, makeEngine, plainEffects, schema } from "../../support/policy.ts";

const engines = new Map<Preset, CedarEngine>();
beforeAll(async () => {
  for (const preset of presets) engines.set(preset, makeEngine([await readPreset(preset)]));
});

const files = plainEffects["file-write-back"];
const network = plainEffects["network-grant"];
const secret = plainEffects["secret-use"];
const call = plainEffects["mcp-call"];
const landing = plainEffects["git-landing"];
const change = plainEffects["policy-change"];

type Row = readonly [what: string, effect: Effect, ...answers: [Answer, Answer, Answer]];
/** in the order of `presets`: observe, balanced, locked */
const table: readonly Row[] = [
  ["files written back", files, "deny", "ask", "ask"],
  ["flagged files", { ...files, flags: ["runs in your CI"] }, "deny", "ask", "ask"],
  ["deleted files", { ...files, deleted: 4 }, "deny", "ask", "ask"],
  ["a command on the host", plainEffects["host-command"], "deny", "deny", "deny"],
  ["first contact with a host", network, "deny", "ask", "deny"],
  ["a host met before", { ...network, isFirstContact: false }, "deny", "ask", "ask"],
  ["sending to a host", { ...network, methods: ["GET", "POST"] }, "deny", "ask", "deny"],
  ["a network card", plainEffects["network-card"], "deny", "deny", "deny"],
  ["a secret for its own host", secret, "deny", "ask", "deny"],
  ["a secret for another host", { ...secret, isOwnHost: false }, "deny", "deny", "deny"],
  ["a harmless tool", { ...call, harm: "harmless" }, "allow", "allow", "ask"],
  [
    "a harmless tool, the first time",
    { ...call, harm: "harmless", isFirstCall: true },
    "allow",
    "allow",
    "ask",
  ],
  ["an unknown tool", call, "deny", "ask", "ask"],
  ["a destructive tool", { ...call, harm: "destructive" }, "deny", "ask", "ask"],
  ["a landing", landing, "deny", "ask", "ask"],
  ["a landing on a new ref", { ...landing, before: null }, "deny", "ask", "ask"],
  ["a forced landing", { ...landing, isForced: true }, "deny", "deny", "deny"],
  ["a message", plainEffects["message"], "deny", "ask", "ask"],
  ["a narrower policy", change, "deny", "ask", "ask"],
  ["a wider policy", { ...change, what: "policy", isWider: true }, "deny", "ask", "ask"],
  ["money", plainEffects["spend"], "deny", "ask", "ask"],
];

describe.each([false, true])("tainted: %s", (tainted) => {
  describe.each(presets)("the preset %s", (preset) => {
    it.each(table)("answers about %s", (_what, effect, ...answers) => {
      const verdict = engines.get(preset)?.judge(askAbout(effect, { tainted }), []);
      expect(verdict?.answer).toBe(answers[presets.indexOf(preset)]);
    });
  });
});

describe.each(presets)("the preset %s", (preset) => {
  it("passes the strict check of the schema", async () => {
    const file = await readPreset(preset);
    expect(parsePolicyFile(cedar, schema, { ...file, origin: "user" }).length).toBeGreaterThan(2);
  });

  it("names each of its rules", async () => {
    for (const rule of parsePolicyFile(cedar, schema, await readPreset(preset))) {
      expect(rule.id).toMatch(/^[a-z]+\.cedar:[a-z]+(-[a-z]+)+$/);
    }
  });
});
