/** One call of a tool over the cliff: a person's own typing is its approval, anything else is judged. */
import type { CallToolResult, Tool } from "@modelcontextprotocol/client";
import type { OpenCliff } from "../runtime/cliff-desk.ts";
import { fingerprintTool } from "../runtime/mcp-values.ts";
import type { ToolArguments } from "../runtime/mcp-values.ts";
import type { CliffVerdict, EnvelopeDraft } from "../runtime/values.ts";
import { askOverCliff } from "./ask-over-cliff.ts";
import type { CliIo } from "./io.ts";
import type { Session } from "./mcp-session.ts";

export type CallEnd =
  | { readonly kind: "called"; readonly result: CallToolResult }
  | {
      readonly kind: "refused";
      readonly outcome: Exclude<CliffVerdict["outcome"], "allowed">;
      readonly reason: string;
    };

export interface CallWishes {
  readonly isTyped: boolean;
  readonly timeoutMs: number | undefined;
}

/** Whether a person sits at this terminal: what they typed, they mean. */
export function typedHere(io: CliIo, isQuiet: boolean): boolean {
  if (isQuiet || !io.stdin.isTTY) return false;
  const keyboard = io.openKeyboard();
  keyboard?.close();
  return keyboard !== undefined;
}

/** Calls with what the approved envelope says, once. Raises what the call raises. */
export async function callOverCliff(
  { io, lumina, server, client, run, quiet, signal }: Session,
  tool: Tool,
  args: ToolArguments,
  { isTyped, timeoutMs }: CallWishes,
): Promise<CallEnd> {
  const open = await lumina.approvals.open(process.cwd());
  const who = isTyped ? "person" : "mcp";
  const draft = await lumina.mcp.draftCall(server, tool, args, { who, run, isTyped });
  const rules = isTyped ? [typedRule(open, draft)] : [];
  const verdict = await askOverCliff(io, lumina, open, draft, { quiet, rules, signal });
  if (verdict.outcome !== "allowed") {
    const { outcome, reason } = verdict;
    return { kind: "refused", outcome, reason };
  }
  const fingerprint = fingerprintTool(tool);
  const timeout = timeoutMs === undefined ? {} : { timeout: timeoutMs };
  const result = await open.cliff.execute(
    verdict.approval.envelope.id,
    (envelope) =>
      client.callTool({ name: tool.name, arguments: { ...envelope.args } }, { signal, ...timeout }),
    fingerprint,
  );
  await lumina.mcp.memory.rememberTool(draft.tool, fingerprint);
  return { kind: "called", result };
}

/** The person's own word on the command line, for this one command. */
function typedRule(
  { policy }: OpenCliff,
  { who, run, tool }: EnvelopeDraft,
): { readonly id: string; readonly text: string } {
  const scope = { who, effect: "mcp-call", tool, run, task: null, args: {} } as const;
  return { id: "typed at the terminal", text: policy.writeGrant(scope) };
}
