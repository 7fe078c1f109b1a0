/** The table of risks in SPECIFICATION.md is what the code judges; UPDATE=1 writes it anew. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { effectKinds } from "../../src/approvals/effect.ts";
import type { Effect } from "../../src/approvals/effect.ts";
import { assess, assessAll } from "../../src/approvals/risk.ts";
import { projectFolder, readProjectFile } from "../support/repository.ts";

const files = {
  kind: "file-write-back",
  root: "/p",
  added: 1,
  modified: 0,
  deleted: 0,
  flags: [],
} as const;
const network = {
  kind: "network-grant",
  host: "example.org",
  port: 443,
  methods: ["GET"],
  isFirstContact: false,
} as const;
const secret = { kind: "secret-use", secret: "KEY", host: "example.org", isOwnHost: true } as const;
const call = {
  kind: "mcp-call",
  server: "s",
  tool: "t",
  harm: "harmless",
  isFirstCall: false,
} as const;
const landing = {
  kind: "git-landing",
  repository: "/p",
  ref: "main",
  before: "1",
  after: "2",
  isForced: false,
} as const;
const change = { kind: "policy-change", what: "policy", isWider: false } as const;

/** each row: the fact that makes it so, and an effect that has it */
const rows: readonly (readonly [string, Effect])[] = [
  ["files written back", files],
  ["… with a deletion", { ...files, deleted: 1 }],
  ["… with a flagged file", { ...files, flags: ["hook"] }],
  ["a command on the host", { kind: "host-command", argv: ["ls"], cwd: "/" }],
  ["reading from a known host", network],
  ["… from a new host", { ...network, isFirstContact: true }],
  ["other methods, known host", { ...network, methods: ["POST"] }],
  ["… new host", { ...network, methods: ["POST"], isFirstContact: true }],
  ["a machine's network card", { kind: "network-card", nic: "user" }],
  ["a secret, at its own host", secret],
  ["… at another host", { ...secret, isOwnHost: false }],
  ["a call of a harmless tool", call],
  ["… for the first time", { ...call, isFirstCall: true }],
  ["a call of an unknown tool", { ...call, harm: "unknown" }],
  ["a call of a destructive tool", { ...call, harm: "destructive" }],
  ["landing on a new ref", { ...landing, before: null }],
  ["… on an old ref", landing],
  ["… by force", { ...landing, isForced: true }],
  ["a message to a person", { kind: "message", channel: "mail", recipients: ["a"] }],
  ["a rule that allows no more", change],
  ["… that allows more", { ...change, isWider: true }],
  ["money spent", { kind: "spend", amountMinor: 100, currency: "EUR", payee: "p" }],
];

const start = "<!-- risks: begin -->";
const end = "<!-- risks: end -->";

function renderTable(): string {
  const cells = rows.map(([name, effect]) => {
    const { risk, face, reversibility } = assess(effect, false);
    return [name, effect.kind, risk, assess(effect, true).risk, face, reversibility];
  });
  const head = ["effect", "kind", "risk", "tainted", "face", "undone"];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)].join(
    "\n",
  );
}

describe("the table of risks", () => {
  it("has a row for each kind of effect", () => {
    expect(new Set(rows.map(([, { kind }]) => kind))).toEqual(new Set(effectKinds));
  });

  it("stands in SPECIFICATION.md as the code judges", () => {
    const path = join(projectFolder, "SPECIFICATION.md");
    const page = readProjectFile("SPECIFICATION.md");
    const [before, rest = ""] = page.split(start);
    const [written, after] = rest.split(end);
    const table = `\n\n${renderTable()}\n\n`;
    if (process.env["UPDATE"] === "1")
      writeFileSync(path, `${before}${start}${table}${end}${after}`);
    else expect(written).toBe(table);
  });

  it("never falls by taint, and no effect hides another's risk", () => {
    const order = ["none", "low", "medium", "high", "critical"];
    for (const [, one] of rows) {
      const plain = order.indexOf(assess(one, false).risk);
      expect(order.indexOf(assess(one, true).risk)).toBeGreaterThanOrEqual(plain);
      for (const [, other] of rows) {
        expect(order.indexOf(assessAll([other, one], false).risk)).toBeGreaterThanOrEqual(plain);
      }
    }
  });
});
