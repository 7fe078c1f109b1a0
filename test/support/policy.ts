/** Questions and engines for tests of policy. */
import { loadCedar } from "../../src/policy/cedar.ts";
import type { Cedar } from "../../src/policy/cedar.ts";
import { CedarEngine } from "../../src/policy/engine.ts";
import type { PolicyFile } from "../../src/policy/policy-file.ts";
import type { Effect, EffectKind, Question } from "../../src/policy/question.ts";
import { readSchema } from "../../src/policy/shipped.ts";

export const cedar: Cedar = await loadCedar();
export const schema: string = await readSchema();

export function makeEngine(
  files: readonly (Partial<PolicyFile> | string)[],
  options: { readonly indexed?: boolean } = {},
): CedarEngine {
  const whole = files.map((file): PolicyFile => ({
    name: "test.cedar",
    text: "",
    origin: "user",
    ...(typeof file === "string" ? { text: file } : file),
  }));
  return new CedarEngine(cedar, { schema, files: whole, ...options });
}

/** One effect of each kind, as plain as it can be. */
export const plainEffects: { readonly [Kind in EffectKind]: Extract<Effect, { kind: Kind }> } = {
  "file-write-back": {
    kind: "file-write-back",
    root: "/home/ada/shop",
    added: 1,
    modified: 2,
    deleted: 0,
    flags: [],
  },
  "host-command": { kind: "host-command", argv: ["notify", "done"], cwd: "/home/ada" },
  "network-card": { kind: "network-card", nic: "user" },
  "network-grant": {
    kind: "network-grant",
    host: "api.example.org",
    port: 443,
    methods: ["GET"],
    isFirstContact: true,
  },
  "secret-use": {
    kind: "secret-use",
    secret: "SHOP_TOKEN",
    host: "api.example.org",
    isOwnHost: true,
  },
  "mcp-call": {
    kind: "mcp-call",
    server: "shop",
    tool: "list_orders",
    harm: "unknown",
    isFirstCall: false,
  },
  "git-landing": {
    kind: "git-landing",
    repository: "/home/ada/shop",
    ref: "refs/heads/fix",
    before: "a".repeat(40),
    after: "b".repeat(40),
    isForced: false,
  },
  message: { kind: "message", channel: "mail", recipients: ["ada@example.org"] },
  "policy-change": { kind: "policy-change", what: "memory", isWider: false },
  spend: { kind: "spend", amountMinor: 1200, currency: "EUR", payee: "Shop" },
};

export function askAbout(effect: Effect, more: Partial<Omit<Question, "effect">> = {}): Question {
  return {
    who: "run",
    run: "R1",
    task: null,
    tool: effect.kind === "mcp-call" ? `${effect.server}.${effect.tool}` : effect.kind,
    risk: "medium",
    tainted: false,
    args: {},
    promptsInRun: 0,
    ...more,
    effect,
  };
}
