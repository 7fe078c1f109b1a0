/** One call of a tool over the cliff: a person's own typing is its approval, anything else is judged. */
import type { CallToolResult, Tool } from "@modelcontextprotocol/client";
import type { OpenCliff } from "../runtime/cliff/cliff-desk.ts";
import { fingerprintTool } from "../runtime/mcp/mcp-values.ts";
import type { ManagedClient, ToolArguments } from "../runtime/mcp/mcp-values.ts";
import type { CliffVerdict, EnvelopeDraft } from "../runtime/values.ts";
import { askOverCliff } from "./ask-over-cliff.ts";
import type { CliIo } from "./io.ts";
import { findKeyboard } from "./keyboard.ts";
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
  using keyboard = findKeyboard(io, false);
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
  using keyboard = findKeyboard(io, quiet);
  const { verdict } = await askOverCliff({ io, lumina, open, keyboard, signal }, draft, { rules });
  if (verdict.outcome !== "allowed") {
    const { outcome, reason } = verdict;
    return { kind: "refused", outcome, reason };
  }
  // a card may wait for minutes, in which a server can put another tool behind the name
  const isAnswered = verdict.approval.decision !== null;
  const fingerprint = isAnswered ? await fingerprintNow(client, tool.name) : draft.toolFingerprint;
  const timeout = timeoutMs === undefined ? {} : { timeout: timeoutMs };
  const result = await open.cliff.execute(
    verdict.approval.envelope.id,
    (envelope) =>
      client.callTool({ name: tool.name, arguments: { ...envelope.args } }, { signal, ...timeout }),
    fingerprint,
  );
  await lumina.mcp.memory.rememberTool(draft.tool, fingerprintTool(tool));
  return { kind: "called", result };
}

/** Of the tool as its server defines it now; null where there is none of the name any more. */
async function fingerprintNow(client: ManagedClient, name: string): Promise<string | null> {
  const { tools } = await client.listTools(undefined, { cacheMode: "refresh" });
  const tool = tools.find((each) => each.name === name);
  return tool === undefined ? null : fingerprintTool(tool);
}

/** The person's own word on the command line, for this one command. */
function typedRule(
  { policy }: OpenCliff,
  { who, run, tool }: EnvelopeDraft,
): { readonly id: string; readonly text: string } {
  const scope = { who, effect: "mcp-call", tool, run, task: null, args: {} } as const;
  return { id: "typed at the terminal", text: policy.writeGrant(scope) };
}
