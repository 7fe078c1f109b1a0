/**
 * A running machine from one host to another, each with folders of its own: it goes on there, or stays, or
 * stands still until a person decides, and never runs on both.
 */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { collect, createCliHome, sees } from "../support/cli.ts";
import type { CliHome, CliResult } from "../support/cli.ts";
import { createCuttingProxy } from "../support/cutting-proxy.ts";
import type { CuttingProxy } from "../support/cutting-proxy.ts";
import { eventually } from "../support/eventually.ts";

let here: CliHome;
let there: CliHome;
let ear: ChildProcessWithoutNullStreams;
let listening: Listening;
let link: CuttingProxy;

interface Listening {
  readonly address: string;
  readonly fingerprint: string;
  readonly code: string;
}

interface Journal {
  readonly phase: string;
  readonly proofHash?: string | null;
}

beforeAll(async () => {
  here = await createCliHome();
  there = await createCliHome();
});
afterAll(async () => {
  await here[Symbol.asyncDispose]();
  await there[Symbol.asyncDispose]();
});

beforeEach(async () => {
  ear = there.start(["vm", "receive", "--listen", "127.0.0.1:0", "--json"]);
  const line = await new Promise<string>((resolve) => {
    ear.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString("utf8")));
  });
  listening = JSON.parse(line.split("\n")[0] ?? "") as Listening;
  link = await createCuttingProxy(listening.address);
  const started = await vm(here, "start", "--name", "work", "--memory", "128");
  if (started.exitCode !== 0) throw new Error(started.stderr);
  await say(
    here,
    "echo kept > /tmp/file; setsid sh -c 'echo $$ > /tmp/pid; exec sleep 1000' > /dev/null 2>&1 & " +
      "until [ -s /tmp/pid ]; do sleep 0.1; done",
  );
});
afterEach(async () => {
  link[Symbol.dispose]();
  ear.kill("SIGTERM");
  await collect(ear);
  for (const home of [here, there]) {
    const names = (await list(home)).map(({ name }) => name);
    if (names.length > 0) await vm(home, "rm", ...names);
  }
});

function vm(home: CliHome, ...args: readonly string[]): Promise<CliResult> {
  return home.run(["vm", ...args]);
}

async function say(home: CliHome, script: string): Promise<string> {
  const argv = ["exec", "work", "--workdir", "/", "--", "sh", "-c", script];
  const { stdout, stderr, exitCode } = await vm(home, ...argv);
  if (exitCode !== 0) throw new Error(`exit ${String(exitCode)}: ${stderr}`);
  return stdout.toString();
}

async function list(home: CliHome): Promise<readonly { name: string; state: string }[]> {
  const { stdout } = await vm(home, "ls", "--json");
  return JSON.parse(stdout.toString()) as readonly { name: string; state: string }[];
}

function migrate(
  options: { readonly pin?: string; readonly code?: string } = {},
): Promise<CliResult> {
  const { pin = listening.fingerprint, code = listening.code } = options;
  return vm(here, "migrate", "work", "--to", link.address, "--pin", pin, "--code", code, "--json");
}

function decide(home: CliHome, ...words: readonly string[]): Promise<CliResult> {
  return vm(home, "migrate", "work", "--resolve", ...words, "--json");
}

function codeOf({ stdout, stderr }: CliResult): string {
  try {
    return (JSON.parse(stdout.toString()) as { error: { code: string } }).error.code;
  } catch {
    throw new Error(`${stdout.toString()}${stderr}`);
  }
}

function journal(home: CliHome): Journal | undefined {
  try {
    const text = readFileSync(join(home.stateDir, "machines/work/move.json"), "utf8");
    return JSON.parse(text) as Journal;
  } catch {
    return undefined;
  }
}

/** Cuts the link when the sender gave the machine up, and before the receiver hears of it. */
async function cutAtTheEnd(): Promise<CliResult> {
  // the receiver's journal is written before it says so, so that this is exact
  link.judge = (from) =>
    from === "receiver" && journal(there)?.phase === "ready" ? "hold" : "pass";
  const moving = migrate();
  const early = moving.then(({ stdout, stderr }) => {
    throw new Error(`it ended before it was cut: ${stdout.toString()}${stderr}`);
  });
  await Promise.race([
    eventually("it is given up", () => journal(here)?.phase === "given", 60_000),
    early,
  ]);
  early.catch(() => undefined); // its end is what is given back
  link.isDown = true;
  link.cut();
  return moving;
}

function runs(home: CliHome): Promise<boolean> {
  return say(home, "cat /tmp/file").then(
    (text) => text === "kept\n",
    () => false,
  );
}

describe("a machine that is moved while it runs", () => {
  it("goes on there as itself, and whoever used it here is told where it went", async () => {
    const argv = ["vm", "exec", "work", "--workdir", "/", "--", "sh", "-c", "echo on; sleep 100"];
    const client = here.start(argv);
    client.stdin.end();
    await sees(client, "on", "stdout");
    const ended = collect(client);
    const moved = await migrate();
    expect(moved.exitCode, moved.stdout.toString() + moved.stderr).toBe(0);
    expect((await ended).stderr).toContain(`machine work went to ${link.address}`);
    const running = await say(there, "cat /tmp/file /proc/$(cat /tmp/pid)/cmdline");
    expect(running).toBe("kept\nsleep\0" + "1000\0");
    const late = Math.abs(Number(await say(there, "date +%s")) - Date.now() / 1000);
    expect(late).toBeLessThan(5);
    expect(codeOf(await vm(here, "exec", "work", "--json", "--", "true"))).toBe("VM_MOVED");
    const audits = await Promise.all(
      [here, there].map((home) => home.run(["audit", "show", "--json"])),
    );
    expect(audits[0]?.stdout.toString()).toContain("machine-moved-out");
    expect(audits[1]?.stdout.toString()).toContain("machine-moved-in");
  });

  it("goes nowhere without the key, the code and the name that are right", async () => {
    expect(codeOf(await migrate({ pin: "0".repeat(64) }))).toBe("PEER_UNTRUSTED");
    expect(codeOf(await migrate({ code: "0".repeat(32) }))).toBe("PEER_UNTRUSTED");
    expect((await vm(there, "start", "--name", "work", "--memory", "128")).exitCode).toBe(0);
    expect(codeOf(await migrate())).toBe("MACHINE_EXISTS");
    expect(await runs(here)).toBe(true);
  });

  it("goes on here when the link is cut while it is copied, and leaves nothing there", async () => {
    link.judge = (_from, bytes) => (bytes > 8 * 1024 ** 2 ? "cut" : "pass");
    expect(codeOf(await migrate())).toBe("MIGRATION_FAILED");
    expect(await runs(here)).toBe(true);
    await eventually("its name is free", async () => (await list(there)).length === 0, 30_000);
    link.judge = () => "pass";
    expect((await migrate()).exitCode).toBe(0);
    expect(await runs(there)).toBe(true);
  });
});

describe("a move that is cut off when the machine was given up", () => {
  it("leaves it standing still on both sides, and goes on there when a person says so", async () => {
    expect(codeOf(await cutAtTheEnd())).toBe("MIGRATION_IN_DOUBT");
    expect([await runs(here), await runs(there)]).toEqual([false, false]);
    link.judge = () => "pass";
    link.isDown = false;
    expect((await decide(here, "--there")).exitCode).toBe(0);
    expect([await runs(here), await runs(there)]).toEqual([false, true]);
    expect(codeOf(await decide(here, "--here", "--other-is-gone"))).toBe("VM_GONE");
  });

  it("goes on here when the other side says that it never will there", async () => {
    expect(codeOf(await cutAtTheEnd())).toBe("MIGRATION_IN_DOUBT");
    expect(codeOf(await decide(here, "--here"))).toBe("MIGRATION_IN_DOUBT");
    link.judge = () => "pass";
    link.isDown = false;
    expect((await decide(here, "--here")).exitCode).toBe(0);
    expect([await runs(here), await runs(there)]).toEqual([true, false]);
  });

  it("is decided without a link by the token that one side prints and the other takes", async () => {
    expect(codeOf(await cutAtTheEnd())).toBe("MIGRATION_IN_DOUBT");
    expect(codeOf(await decide(there, "--here"))).toBe("MIGRATION_IN_DOUBT");
    expect(codeOf(await decide(there, "--here", "--token", "0".repeat(64)))).toBe(
      "MIGRATION_IN_DOUBT",
    );
    const decided = await decide(here, "--there");
    const { token } = JSON.parse(decided.stdout.toString()) as { token: string };
    expect((await decide(there, "--here", "--token", token)).exitCode).toBe(0);
    expect([await runs(here), await runs(there)]).toEqual([false, true]);
  });
});
