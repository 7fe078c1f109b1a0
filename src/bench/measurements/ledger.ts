/** What decisions are kept in, on a real disk: one durable commit, and a long audit verified. */
import { mkdtemp, open as openFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { itemsOf, verifyChain } from "../../audit/verify-audit.ts";
import { makePrivateFolder } from "../../base/private-folder.ts";
import { openLedger } from "../../runtime/ledger/open-ledger.ts";
import type { OpenLedger } from "../../runtime/ledger/open-ledger.ts";
import type { BenchContext } from "../bench-context.ts";
import { interleave, timed } from "../interleave.ts";
import type { Measurement, Series } from "../measurement.ts";

const group = "cliff";
const manyRecords = 100_000;
/** records of one commit while the long audit is made */
const commitRecords = 5_000;
const entry = { kind: "envelope", subject: "bench", facts: { text: "x".repeat(300) } } as const;

export const ledgerCommit: Measurement = {
  name: "ledger-commit",
  group,
  unit: "ms",
  what: "one audit record until it is on disk",
  floorIs: "4 KiB appended to a file of the same disk and flushed",
  goal: { kind: "ratio-at-most", ratio: 2 },
  method:
    "A commit of one record is awaited, in turn with one write and fdatasync of a file beside it.",
  run: (context, samples, signal) =>
    withLedger(context, async ({ ledger }, folder) => {
      const file = await openFile(join(folder, "floor"), "a");
      const block = Buffer.alloc(4096, "x");
      try {
        return await interleave(
          context,
          samples,
          signal,
          () => timed(() => ledger.commit((transaction) => transaction.record(entry))),
          () =>
            timed(async () => {
              await file.write(block);
              await file.datasync();
            }),
        );
      } finally {
        await file.close();
      }
    }),
};

export const auditVerify: Measurement = {
  name: "audit-verify",
  group,
  unit: "ms",
  what: `${manyRecords.toLocaleString("en")} records verified, hashes and signatures`,
  goal: { kind: "at-most", value: 2000 },
  method: "What luminaguard audit verify does with the file, without the program's own start.",
  run: (context, samples, signal) =>
    withLedger(context, async ({ ledger, store }) => {
      for (let made = 0; made < manyRecords; made += commitRecords) {
        signal.throwIfAborted();
        await ledger.commit((transaction) => {
          for (let n = 0; n < commitRecords; n++) transaction.record(entry);
        });
      }
      return interleave(context, samples, signal, async () => {
        using snapshot = store.openAudit();
        return await timed(() => verifyChain(itemsOf(snapshot.audit), { signal }));
      });
    }),
};

async function withLedger(
  { lumina }: BenchContext,
  measure: (open: OpenLedger, folder: string) => Promise<Series>,
): Promise<Series> {
  const { stateDir } = lumina.config;
  await makePrivateFolder(stateDir);
  const folder = await mkdtemp(join(stateDir, "bench-"));
  try {
    await using open = await openLedger({ stateDir: folder, configDir: folder });
    return await measure(open, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
