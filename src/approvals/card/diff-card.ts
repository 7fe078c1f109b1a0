/**
 * A card file of the first LuminaGuard, as its `approve --diff-card FILE` read it. Whoever wrote it said
 * himself what it does and how bad that is, and nothing binds it to what would run: so it can be looked
 * at, every field of it, and never be approved.
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { escapeText } from "../../base/escape-text.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { risks } from "../risk.ts";
import type { Card } from "./card.ts";
import { createFacts } from "./create-facts.ts";
import { flagLookAlikes } from "./look-alikes.ts";
import { showName, showValue } from "./shown-value.ts";

/** largest file that is read, in `bytes` */
export const diffCardBytesMax: number = 4 * 1024 ** 2;
const changesMax = 1000;

interface DiffCard {
  readonly action_type: string;
  readonly description: string;
  readonly risk_level: (typeof risks)[number];
  readonly changes: readonly DiffCardChange[];
  readonly timestamp: string;
}

interface DiffCardChange {
  readonly change_type: string;
  readonly summary: string;
  readonly details: JsonObject;
}

const diffCard: v.GenericSchema<unknown, DiffCard> = v.strictObject({
  action_type: v.string(),
  description: v.string(),
  risk_level: v.picklist(risks),
  changes: v.pipe(
    v.array(
      v.strictObject({
        change_type: v.string(),
        summary: v.string(),
        // it came out of JSON, so it is JSON
        details: v.custom<JsonObject>(
          (value) => typeof value === "object" && value !== null && !Array.isArray(value),
        ),
      }),
    ),
    v.maxLength(changesMax),
  ),
  timestamp: v.string(),
});

/** Reads such a file. Raises ENVELOPE_INVALID for one that is too large or of another form. */
export function readDiffCard(content: Uint8Array): Card {
  const read = v.safeParse(diffCard, parseJson(content));
  if (!read.success) {
    const [issue] = read.issues;
    throw invalid(`${v.getDotPath(issue) ?? "the card"}: ${escapeText(issue.message)}`);
  }
  const digest = createHash("sha256").update(content).digest("hex");
  try {
    return drawDiffCard(read.output, digest);
  } catch (cause) {
    // a value within a value ten thousand times: the stack ends before it does
    if (cause instanceof RangeError) throw invalid("the card is nested too deeply", cause);
    throw cause;
  }
}

function parseJson(content: Uint8Array): unknown {
  if (content.length > diffCardBytesMax) {
    throw invalid(`the file has ${content.length} bytes, and a card at most ${diffCardBytesMax}`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content)) as unknown;
  } catch (cause) {
    throw invalid("the file is not JSON in UTF-8", cause);
  }
}

function drawDiffCard(card: DiffCard, digest: string): Card {
  const { action_type: action, description, risk_level: risk, changes, timestamp } = card;
  const rows: Record<string, JsonValue> = {};
  changes.forEach(({ change_type: type, summary, details }, at) => {
    rows[`change ${at + 1}`] = { change_type: type, summary, details };
  });
  const { facts, sections } = createFacts(
    { args: { timestamp, ...rows }, operands: [] },
    { hostFacts: [], leftOut: [] },
  );
  return {
    title: showName(action),
    shortId: digest.slice(0, 4).toUpperCase(),
    digest,
    expiresAt: null,
    asker: null,
    facts,
    sections,
    flags: [
      "an old card: nothing binds it to what would run, so it cannot be approved",
      "its risk is what its writer said of himself",
      ...flagLookAlikes([action, description, ...showValue(rows)]),
    ],
    why: null,
    onYes: [],
    remarks: [],
    elsewhere: [],
    says: description === "" ? [] : description.split("\n").map((line) => escapeText(line)),
    choices: [],
    grants: [],
    mustOpen: sections.map(({ id }) => id),
    // what is not known to be less is the worst
    ...{ risk, face: "red", reversibility: "irreversible" },
  };
}

function invalid(message: string, cause?: unknown): LuminaGuardError {
  return new LuminaGuardError("ENVELOPE_INVALID", message, {
    hint: "a card file holds action_type, description, risk_level, changes and timestamp",
    cause,
  });
}
