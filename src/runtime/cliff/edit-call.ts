/** The arguments of a call as a person edits them: JSON out, JSON back, and what is wrong with it. */
import { followEdits } from "../../approvals/edit.ts";
import type { Edit } from "../../approvals/edit.ts";
import type { Approval } from "../../approvals/approval.ts";
import { toCanonicalJson } from "../../approvals/canonical.ts";
import { showJson } from "../../approvals/card/shown-value.ts";
import type { ActionEnvelope } from "../../approvals/envelope.ts";
import { parseDraft } from "../../approvals/envelope-schema.ts";
import type { JsonValue } from "../../approvals/json.ts";
import { messageOf } from "../../errors.ts";
import { runEditor } from "../../process/run-editor.ts";
import type { TerminalProgram } from "../../process/run-on-terminal.ts";

export { followEdits };
export type { Edit, TerminalProgram };

/** What a person made of the arguments. */
export type EditedCall =
  | { readonly kind: "changed"; readonly edit: Edit }
  | { readonly kind: "same" }
  /** `why` is one line */
  | { readonly kind: "mistake"; readonly why: string };

export interface CallEdit {
  /** the arguments as they are edited */
  readonly text: string;
  /** Opens the person's editor; undefined when the signal ended it. Raises PROCESS_FAILED, HOST_LIMIT. */
  readonly open: (text: string, signal: AbortSignal) => Promise<string | undefined>;
  readonly read: (text: string) => EditedCall;
}

/** more than a person edits */
const bytesMax = 1024 ** 2;

/**
 * Undefined where it cannot be edited: only of a tool's call is it known that its effect does not follow
 * from its arguments, and that its asker carries out what the envelope says.
 */
export function editCall(
  { envelope }: Pick<Approval, "envelope">,
  editor: TerminalProgram,
  folder: string,
): CallEdit | undefined {
  if (envelope.effects.some(({ kind }) => kind !== "mcp-call")) return undefined;
  const text = `${showJson(envelope.args)}\n`;
  if (Buffer.byteLength(text) > bytesMax) return undefined;
  return {
    text,
    open: (given, signal) =>
      runEditor(editor, given, { folder, name: "arguments.json", bytesMax, signal }),
    read: (given) => {
      try {
        return read(envelope, given);
      } catch (error) {
        return { kind: "mistake", why: messageOf(error) };
      }
    },
  };
}

function read({ who, run, tool, effects, args: old }: ActionEnvelope, text: string): EditedCall {
  const value = JSON.parse(text) as JsonValue;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { kind: "mistake", why: "arguments are one JSON object" };
  }
  const { args } = parseDraft({ who, run, tool, effects, args: value });
  if (toCanonicalJson(args) === toCanonicalJson(old)) return { kind: "same" };
  return { kind: "changed", edit: { args } };
}
