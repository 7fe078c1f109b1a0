/**
 * The canonical record of one thing that is about to happen. Cards are drawn from it, policy judges
 * it, decisions name it by digest, and it is what is executed: there is no second description.
 */
import type { Effect } from "./effect.ts";
import type { JsonObject } from "./json.ts";

/** A blob that the effect uses, copied when the envelope was made; execution reads the blob, not a path. */
export interface Operand {
  /** what it is to the effect, such as `deploy.sh` */
  readonly name: string;
  /** SHA-256 of the bytes, in lower-case hexadecimal */
  readonly sha256: string;
  /** size in `bytes` */
  readonly size: number;
}

/** Whether text from outside may have steered the asker. Set by the host; what is not known is tainted. */
export interface Taint {
  readonly tainted: boolean;
  /** where the text came from, for the card, such as `web page example.org` */
  readonly sources: readonly string[];
}

export interface ActionEnvelope {
  readonly v: 1;
  /** ULID */
  readonly id: string;
  /** who asks, such as `run` or an agent's name */
  readonly who: string;
  /** those it works for, nearest first; it may do what each of them may, and no more */
  readonly parents: readonly string[];
  readonly run: string;
  readonly task: string | null;
  readonly machine: string | null;
  /** `server.tool`, `workspace.write-back`, `host.command`, … */
  readonly tool: string;
  /** whole and unabridged: what a card shows of it is what is executed */
  readonly args: JsonObject;
  /** at least one */
  readonly effects: readonly Effect[];
  readonly operands: readonly Operand[];
  readonly policyVersion: string;
  /** hash of the tool's definition when it was asked for; null where a tool has none */
  readonly toolFingerprint: string | null;
  readonly taint: Taint;
  /** the asker's own words, shown in a box that says so; they decide nothing */
  readonly says: string;
  /** id of the envelope a person edited into this one */
  readonly replaces: string | null;
  /** RFC 3339, UTC, with milliseconds */
  readonly createdAt: string;
  readonly expiresAt: string;
  /** 128 random bits in hexadecimal */
  readonly nonce: string;
}

/** What an asker gives; the cliff adds identity, time and policy. */
export interface EnvelopeDraft extends Pick<
  ActionEnvelope,
  "who" | "run" | "tool" | "args" | "effects"
> {
  /** @default [] */
  readonly parents?: readonly string[];
  /** @default null */
  readonly task?: string | null;
  /** @default null */
  readonly machine?: string | null;
  /** @default [] */
  readonly operands?: readonly Operand[];
  /** @default null */
  readonly toolFingerprint?: string | null;
  /** @default tainted, source `unknown` */
  readonly taint?: Taint;
  /** @default "" */
  readonly says?: string;
  /** @default null */
  readonly replaces?: string | null;
}
