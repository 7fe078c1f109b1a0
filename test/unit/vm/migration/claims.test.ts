/** A machine is taken out of a file once on this host, or taken back: whoever is first. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { claimMove, readClaim } from "../../../../src/vm/migration/claims.ts";

const id = "1".repeat(32);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lg-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it("one of many who claim a machine at the same time has it, and the others are told who", async () => {
  const claims = Array.from({ length: 20 }, (_each, at) => ({
    ...{ kind: at % 2 === 0 ? "taken" : "withdrawn", name: `work-${at}`, machine: `m-${at}` },
  })) as { kind: "taken" | "withdrawn"; name: string; machine: string }[];
  const ends = await Promise.allSettled(claims.map((claim) => claimMove(folder, id, claim)));
  const won = claims.filter((_claim, at) => ends[at]?.status === "fulfilled");
  expect(won).toHaveLength(1);
  expect(await readClaim(folder, id)).toEqual(won[0]);
  for (const end of ends) {
    if (end.status === "rejected") {
      expect(end.reason).toMatchObject({ code: "VM_MOVED" });
      expect((end.reason as Error).message).toContain(won[0]?.name);
    }
  }
  expect(await readdir(join(folder, "moves/claims"))).toEqual([id]);
});

it("a claim may be told twice by whoever has it, and another move is another claim", async () => {
  const claim = { kind: "taken", machine: "m-1", name: "work" } as const;
  await claimMove(folder, id, claim);
  await claimMove(folder, id, claim);
  await claimMove(folder, "2".repeat(32), { ...claim, machine: "m-2" });
  await expect(claimMove(folder, id, { ...claim, kind: "withdrawn" })).rejects.toThrow(
    "taken out of the file here as machine work",
  );
});

it("one that cannot be read counts as a claim", async () => {
  await claimMove(folder, id, { kind: "taken", machine: "m-1", name: "work" });
  await writeFile(join(folder, "moves/claims", id), "{");
  await expect(readClaim(folder, id)).rejects.toMatchObject({ code: "STORE_FAILED" });
  await expect(
    claimMove(folder, id, { kind: "taken", machine: "m-1", name: "work" }),
  ).rejects.toMatchObject({ code: "STORE_FAILED" });
});
