/**
 * Whoever changes the audit's file is found by `audit verify`, on the real file by the real program:
 * which record, and an exit code that scripts see. What cannot be found is in SECURITY.md.
 */
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openLedger } from "../../src/runtime/ledger/open-ledger.ts";
import { Database } from "../../src/store/database.ts";
import { createCliHome } from "../support/cli.ts";
import type { CliHome, CliResult } from "../support/cli.ts";

const canary = "canary-9a61c0";
let home: CliHome;
let good: string;

beforeAll(async () => {
  home = await createCliHome();
  good = join(home.project, "good");
  await using open = await openLedger(home);
  for (let n = 0; n < 300; n++) {
    const kind = n === 150 ? "decision" : "envelope";
    const facts = { n, call: { env: { TOKEN: canary }, headers: { Authorization: canary } } };
    await open.ledger.commit((transaction) =>
      transaction.record({ kind, subject: `S${n}`, facts }),
    );
  }
});
afterAll(() => home[Symbol.asyncDispose]());

/** One file that holds all: what the log still had is in it. */
function settle(): void {
  const database = new Database(file());
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

beforeEach(() => {
  settle();
  const kept = [home.stateDir, home.configDir].map(
    (folder, at) => [folder, `${good}-${at}`] as const,
  );
  const copy = (from: string, to: string): void => {
    rmSync(to, { recursive: true, force: true });
    cpSync(from, to, { recursive: true });
  };
  for (const [folder, apart] of kept) copy(folder, apart);
  return () => {
    for (const [folder, apart] of kept) copy(apart, folder);
  };
});

const file = (): string => join(home.stateDir, "ledger.sqlite");
const verify = (...args: string[]): Promise<CliResult> => home.run(["audit", "verify", ...args]);

function edit(sql: string): void {
  const database = new Database(file());
  database.exec("DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_shortened");
  database.exec(sql);
  database.close();
  settle();
}

async function expectBroken(at: number, ...args: string[]): Promise<void> {
  const { exitCode, stderr } = await verify(...args);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr: expect.stringContaining(`the audit is broken at record ${at}:`) as string,
  });
}

describe("the audit", () => {
  it("that nobody touched is whole, and prints its head", async () => {
    const { exitCode, stdout } = await verify();
    expect(exitCode).toBe(0);
    const head = stdout.toString().trim();
    expect(head).toMatch(/^[0-9a-f]{64}$/);
    expect((await verify("--head", head)).exitCode).toBe(0);
  });

  it.each([
    ["a changed fact", "UPDATE audit SET facts = '{}' WHERE seq = 42", 42],
    ["a changed kind", "UPDATE audit SET kind = 'x' WHERE seq = 42", 42],
    ["a changed time", "UPDATE audit SET at = at + 1 WHERE seq = 42", 42],
    ["a flipped bit of a hash", "UPDATE audit SET hash = zeroblob(32) WHERE seq = 42", 42],
    ["a deleted record", "DELETE FROM audit WHERE seq = 42", 42],
    ["an exchange of two", "UPDATE audit SET seq = -1 WHERE seq = 42; UPDATE audit SET seq = 42 WHERE seq = 43; UPDATE audit SET seq = 43 WHERE seq = -1", 42], // prettier-ignore
    ["an inserted record", "INSERT INTO audit SELECT 9000, at, kind, subject, facts, hash FROM audit WHERE seq = 42", 301], // prettier-ignore
    ["a cut end", "DELETE FROM audit WHERE seq > 290", 291],
    ["a forged checkpoint", "UPDATE checkpoints SET signature = zeroblob(64) WHERE seq = 255", 255],
    ["another key's checkpoint", "UPDATE checkpoints SET key = 'k' WHERE seq = 255", 255],
  ])("shows %s, and where", async (_what, sql, at) => {
    edit(sql);
    await expectBroken(at);
  });

  it("shows that checkpoints were removed", async () => {
    edit("DELETE FROM checkpoints");
    await expectBroken(0);
  });

  it("shows that it was set back, by the head that was kept and by one that was given", async () => {
    const { stdout, stderr } = await verify();
    expect(stderr).toContain("all as they were written");
    const head = stdout.toString().trim();
    edit("DELETE FROM audit WHERE seq > 280");
    await expectBroken(281);
    rmSync(join(home.configDir, "audit-heads"), { recursive: true });
    expect((await verify()).exitCode).toBe(0); // nothing on this computer knows better
    await expectBroken(281, "--head", head);
  });

  it("shows that another stands in its place", async () => {
    for (const name of readdirSync(home.stateDir)) rmSync(join(home.stateDir, name));
    await expectBroken(0);
  });

  it("shows a file that is no database any more", async () => {
    writeFileSync(file(), "garbage".repeat(2000));
    await expectBroken(0);
  });

  it("shows what was changed in an export", async () => {
    const { stdout } = await home.run(["audit", "export"]);
    const path = join(home.project, "export.jsonl");
    writeFileSync(path, stdout);
    expect((await verify("--file", path)).exitCode).toBe(0);
    writeFileSync(path, stdout.toString().replace('"n":99}', '"n":98}'));
    await expectBroken(100, "--file", path);
  });

  it("has no value of a variable or header anywhere in its files", () => {
    const names = readdirSync(home.stateDir);
    expect(names).toContain("ledger.sqlite");
    const held = names.filter((name) => readFileSync(join(home.stateDir, name)).includes(canary));
    expect(held).toEqual([]);
    expect(readFileSync(file()).includes("TOKEN")).toBe(true);
  });
});
