/** Files that somebody else wrote, or damaged: an exported audit, and a card of the first LuminaGuard. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { readDiffCard } from "../../src/approvals/card/diff-card.ts";
import { parseExport, renderLine } from "../../src/audit/audit-export.ts";
import { Audit } from "../../src/audit/audit.ts";
import { openLocalKey } from "../../src/audit/local-key.ts";
import { itemsOf, verifyChain } from "../../src/audit/verify-audit.ts";
import { isLuminaGuardError } from "../../src/errors.ts";
import { openOwnStore } from "../support/open-store.ts";
import { findHidden } from "../support/shown-text.ts";

const noise = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom('"', "{}", "\n", "\\ud800", '"seq":0', "__proto__", " ")
    .map((text) => Buffer.from(text)),
);
/** Some of the file goes away, and something else stands in its place. */
const damage = fc.tuple(fc.nat(), fc.nat({ max: 300 }), noise);

function spoil(whole: Buffer, damages: readonly (readonly [number, number, Buffer])[]): Buffer {
  return damages.reduce((bytes, [at, cut, more]) => {
    const from = at % (bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, from), more, bytes.subarray(from + cut)]);
  }, whole);
}

function changeDigit(line: string, which: number): string {
  const places = [...line.matchAll(/\d/g)].map(({ index }) => index);
  const at = places[which % places.length] ?? 0;
  return `${line.slice(0, at)}${(Number(line[at]) + 1) % 10}${line.slice(at + 1)}`;
}

/** In pieces, so that lines and characters are cut anywhere. */
async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    yield await Promise.resolve(bytes.subarray(at, at + size));
  }
}

async function exportAudit(): Promise<readonly string[]> {
  await using own = await openOwnStore();
  const audit = await Audit.open(own.store, await openLocalKey(`${own.stateDir}/key.pem`));
  // what comes after the last decision is held by its hashes alone
  const write = (from: number, to: number): Promise<void> =>
    own.store.commit(() => {
      for (let n = from; n < to; n++) {
        audit.record({ kind: n === 5 ? "decision" : "envelope", subject: `S${n}`, facts: { n } });
      }
    });
  await write(1, 9);
  await write(9, 40);
  return [...itemsOf(own.store.audit)].map(renderLine);
}

it("an exported audit is verified as it was written, or AUDIT_BROKEN, whatever became of it", async () => {
  const lines = await exportAudit();
  const whole = Buffer.from(lines.join(""));
  const seen = { verified: 0, broken: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.array(damage, { maxLength: 3 }).map((damages) => spoil(whole, damages)),
        noise,
        // whole lines left out, twice or elsewhere
        fc.array(fc.constantFrom(...lines)).map((some) => Buffer.from(some.join(""))),
        fc.nat({ max: lines.length }).map((n) => Buffer.from(lines.slice(0, n).join(""))),
        // one digit is another, and what would give it away is cut off
        fc.tuple(fc.nat({ max: lines.length - 2 }), fc.nat()).map(([n, at]) => {
          const kept = lines.slice(0, n + 1);
          return Buffer.from([...kept.slice(0, -1), changeDigit(kept.at(-1) ?? "", at)].join(""));
        }),
      ),
      fc.integer({ min: 1, max: 5000 }),
      async (bytes, size) => {
        try {
          const { records, head } = await verifyChain(parseExport(inPieces(bytes, size)));
          // what was cut off at its end is whole by itself: its head says how far it goes
          if (head !== null) expect(lines.join("")).toContain(`{"hash":"${head.hash}","record"`);
          expect(head === null ? 0 : head.seq + 1).toBe(records);
          seen.verified += 1;
        } catch (error) {
          if (!isLuminaGuardError(error, "AUDIT_BROKEN")) throw error;
          seen.broken += 1;
        }
      },
    ),
    { numRuns: 1000 },
  );
  expect(seen.verified).toBeGreaterThan(50);
  expect(seen.broken).toBeGreaterThan(300);
});

it("a card file is a card that shows all and offers nothing, or ENVELOPE_INVALID", () => {
  const text = fc.string({ unit: "binary", maxLength: 20 });
  const card = fc.record({
    ...{ action_type: text, description: text, timestamp: text },
    risk_level: fc.constantFrom("none", "low", "medium", "high", "critical"),
    changes: fc.array(
      fc.record({
        ...{ change_type: text, summary: text },
        details: fc.dictionary(text, fc.jsonValue({ stringUnit: "binary" }), { maxKeys: 4 }),
      }),
      { maxLength: 4 },
    ),
  });
  const files = fc
    .tuple(card, fc.array(damage, { maxLength: 1 }))
    .map(([value, damages]) => spoil(Buffer.from(JSON.stringify(value)), damages));
  const seen = { cards: 0, refused: 0 };
  fc.assert(
    fc.property(fc.oneof(files, noise), (bytes) => {
      try {
        const { choices, face, ...rest } = readDiffCard(bytes);
        expect({ choices, face }).toEqual({ choices: [], face: "red" });
        expect(findHidden(JSON.stringify(rest))).toBeUndefined();
        seen.cards += 1;
      } catch (error) {
        if (!isLuminaGuardError(error, "ENVELOPE_INVALID")) throw error;
        seen.refused += 1;
      }
    }),
    { numRuns: 2000 },
  );
  expect(seen.cards).toBeGreaterThan(300);
  expect(seen.refused).toBeGreaterThan(300);
});
