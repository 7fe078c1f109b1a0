/** Each command there is, and what its help owes a reader. */
import { expect, it } from "vitest";
import { runProgram } from "../../src/cli/program.ts";
import { createFakeIo } from "../support/fake-io.ts";

async function help(...command: readonly string[]): Promise<string> {
  const { io, stdout, stderr } = createFakeIo();
  expect(await runProgram([...command, "--help"], io, "1.2.3")).toBe(0);
  expect(stderr()).toBe("");
  return `\n${stdout()}`;
}

/** The commands that a help text lists, below those that lead to it. */
async function listCommands(above: readonly string[]): Promise<string[][]> {
  const text = await help(...above);
  const rows = text.split("\nCommands:\n")[1]?.split("\n\n")[0]?.split("\n") ?? [];
  const names = rows.flatMap((row) => /^ {2}([a-z]+)/.exec(row)?.[1] ?? []);
  const own = names.filter((name) => name !== "help").map((name) => [...above, name]);
  return [...own, ...(await Promise.all(own.map(listCommands))).flat()];
}

it("every command says what it does, what each word means, and fits 80 columns", async () => {
  const commands = await listCommands([]);
  expect(commands.map((command) => command.join(" ")).sort()).toEqual([
    "approvals",
    "approvals approve",
    "approvals grant",
    "approvals grant add",
    "approvals grant ls",
    "approvals grant rm",
    "approvals ls",
    "approvals reject",
    "approvals reopen",
    "approvals show",
    "approvals watch",
    "audit",
    "audit export",
    "audit show",
    "audit verify",
    "bench",
    "cache",
    "cache ls",
    "cache prune",
    "changes",
    "changes apply",
    "changes ls",
    "changes rm",
    "changes show",
    "completion",
    "config",
    "config show",
    "doctor",
    "freeze",
    "image",
    "image build",
    "image import",
    "image ls",
    "image pull",
    "image rm",
    "mcp",
    "mcp call",
    "mcp login",
    "mcp logout",
    "mcp ls",
    "mcp ping",
    "mcp prompts",
    "mcp read",
    "mcp resources",
    "mcp status",
    "mcp tools",
    "policy",
    "policy check",
    "policy explain",
    "policy show",
    "policy test",
    "ps",
    "resume",
    "rm",
    "run",
    "setup",
    "setup jailer",
    "shell",
    "vm",
    "vm apply",
    "vm checkpoint",
    "vm cp",
    "vm diff",
    "vm exec",
    "vm fork",
    "vm logs",
    "vm ls",
    "vm migrate",
    "vm receive",
    "vm restart",
    "vm restore",
    "vm rm",
    "vm shell",
    "vm snapshot",
    "vm snapshot ls",
    "vm snapshot rm",
    "vm start",
    "vm stop",
    "vm tree",
  ]);
  for (const command of commands) {
    const text = await help(...command);
    const lines = text.split("\n");
    expect(Math.max(...lines.map((line) => line.length)), command.join(" ")).toBeLessThanOrEqual(
      80,
    );
    expect(lines[3], command.join(" ")).toMatch(/^[a-z].{8,}/);
    const rows = lines.slice(0, lines.indexOf("Examples:"));
    const silent = rows.filter((row, at) => {
      const isWord = /^ {2}\S/.test(row) && !/\S {2,}\S/.test(row);
      return isWord && !/^ {8,}\S/.test(rows[at + 1] ?? "");
    });
    expect(silent, command.join(" ")).toEqual([]);
  }
});
