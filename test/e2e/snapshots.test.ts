/**
 * Snapshots of machines that run: forks that go on, a fork of a fork, the way back, and everything that
 * can be wrong with the files of one.
 */
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { cp, open, readFile, rm, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome, CliOptions, CliResult } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { areGone, listFamily } from "../support/host-process.ts";
import { runWithSmallDisk } from "../support/small-disk.ts";
import { openTerminal } from "../support/terminal.ts";

let home: CliHome;
beforeAll(async () => {
  home = await createCliHome();
  writeFileSync(join(home.project, "a"), "one\n");
  await must("start", "--name", "work", "--memory", "128", "--workspace", ".");
  await must("exec", "work", "--", "sh", "-c", "echo first > /tmp/state");
  await must("snapshot", "work", "--name", "first");
});
afterAll(async () => {
  const { stdout } = await vm(["ls", "--json"]);
  const all = JSON.parse(stdout.toString()) as readonly { name: string }[];
  await vm(["rm", ...all.map(({ name }) => name)]);
  await home[Symbol.asyncDispose]();
});

function vm(args: readonly string[], options?: CliOptions): Promise<CliResult> {
  return home.run(["vm", ...args], options);
}

async function must(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await vm(args);
  if (exitCode !== 0) throw new Error(`vm ${args.join(" ")}: ${stderr}${stdout.toString()}`);
  return stdout.toString();
}

async function tell<T>(...args: readonly string[]): Promise<T> {
  return JSON.parse(await must(...args, "--json")) as T;
}

interface Listed {
  readonly id: string;
  readonly name: string | null;
  readonly parent: string | null;
  readonly kind: string;
}

async function snapshotFolder(name: string): Promise<string> {
  const all = await tell<readonly Listed[]>("snapshot", "ls");
  const found = all.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no snapshot ${name}`);
  return join(home.stateDir, "snapshots", found.id);
}

describe("a fork", () => {
  it("goes on where its machine was, and each its own way, and can be forked again", async () => {
    await must("fork", "work", "-n", "2", "--name", "try");
    await must("exec", "try-1", "--", "sh", "-c", "echo other > /tmp/state");
    await must("fork", "try-1", "--name", "deep");
    const states = [];
    for (const name of ["work", "try-1", "try-2", "deep"]) {
      states.push(await must("exec", name, "--", "cat", "/tmp/state"));
    }
    expect(states).toEqual(["first\n", "other\n", "first\n", "other\n"]);
    const tree = await must("tree");
    expect(tree).toMatch(/snapshot \w+ of try-1\n.*machine deep.*\n.*machine try-1/);
  });

  it("shares no name, no random bytes and no boot with another, and has the right time", async () => {
    const look = async (name: string): Promise<readonly string[]> => {
      const script =
        "hostname; head -c 16 /dev/urandom | od -An -tx1; cat /etc/machine-id /proc/sys/kernel/random/boot_id";
      return (await must("exec", name, "--", "sh", "-c", script)).trim().split("\n");
    };
    const [one, other] = [await look("try-1"), await look("try-2")];
    expect(one).toHaveLength(4);
    for (const [at, fact] of one.entries()) expect(fact).not.toBe(other[at]);
    const seconds = Number(await must("exec", "try-2", "--", "date", "+%s"));
    expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(3);
  });

  it("brings its own changes of the workspace back, and no other's", async () => {
    await must("exec", "try-2", "--", "sh", "-c", "echo two > a");
    expect(await must("diff", "try-1")).toBe("");
    const { changeSet } = await tell<{ changeSet: { changes: readonly { path: string }[] } }>(
      "diff",
      "try-2",
    );
    expect(changeSet.changes.map(({ path }) => path)).toEqual(["a"]);
    const applied = await vm(["apply", "try-2", "--apply", "always"]);
    expect(applied.exitCode).toBe(0);
    expect(readFileSync(join(home.project, "a"), "utf8")).toBe("two\n");
    expect(await must("diff", "try-2")).toBe("");
  });
});

describe("the way back", () => {
  it("undoes what the machine did since", async () => {
    await must("exec", "work", "--", "sh", "-c", "echo later > /tmp/state");
    await must("restore", "work", "first");
    expect(await must("exec", "work", "--", "cat", "/tmp/state")).toBe("first\n");
  });

  it("is there for a machine whose supervisor was killed", async () => {
    const all = await tell<readonly { name: string; supervisorPid: number }[]>("ls");
    const pid = all.find(({ name }) => name === "work")?.supervisorPid ?? 0;
    const family = await listFamily(pid);
    process.kill(pid, "SIGKILL");
    await areGone(family, 2_000);
    await must("restore", "work", "first");
    expect(await must("exec", "work", "--", "cat", "/tmp/state")).toBe("first\n");
  });

  it("is taken when a person says no to an effect, to the moment of the question", async () => {
    await must("checkpoint", "work", "--every", "effect");
    await must("exec", "work", "--", "sh", "-c", "echo wanted > a; echo asked > /tmp/state");
    await using terminal = openTerminal(home, ["vm", "apply", "work"]);
    await terminal.sees("[r] reject");
    await must("exec", "work", "--", "sh", "-c", "echo while asked > /tmp/state");
    const card = await eventually("a card that waits", async () => {
      const { stdout } = await home.run(["approvals", "ls", "--json"]);
      const all = JSON.parse(stdout.toString()) as readonly { shortId: string; state: string }[];
      return all.find(({ state }) => state === "pending")?.shortId ?? false;
    });
    await home.run(["approvals", "reject", card]);
    await terminal.sees("work is as it was when you were asked");
    await terminal.sees("exit code 11");
    expect(await must("exec", "work", "--", "cat", "/tmp/state")).toBe("asked\n");
    expect(readFileSync(join(home.project, "a"), "utf8")).toBe("two\n");
    await must("checkpoint", "work", "--every", "never");
  });
});

/** Tries each on a copy of the files of one snapshot, which are then put back. */
async function withDamage(
  name: string,
  damage: (folder: string) => Promise<void> | void,
): Promise<CliResult> {
  const folder = await snapshotFolder(name);
  const copy = `${folder}.copy`;
  await cp(folder, copy, { recursive: true, preserveTimestamps: true });
  try {
    await damage(folder);
    return await vm(["restore", "work", basename(folder)]);
  } finally {
    await rm(folder, { recursive: true, force: true });
    await cp(copy, folder, { recursive: true });
    await rm(copy, { recursive: true, force: true });
  }
}

async function flipBit(path: string, at: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    await file.write(Buffer.of((byte[0] ?? 0) ^ 1), 0, 1, at);
  } finally {
    await file.close();
  }
}

/** A manifest that says something else, with an id that is right for it. */
async function rewriteManifest(
  name: string,
  change: (manifest: Record<string, unknown>) => void,
): Promise<string> {
  const folder = await snapshotFolder(name);
  const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as Record<
    string,
    unknown
  >;
  change(manifest);
  const text = `${JSON.stringify(manifest)}\n`;
  const id = createHash("sha256").update(text).digest("hex");
  const other = join(home.stateDir, "snapshots", id);
  await cp(folder, other, { recursive: true });
  await writeFile(join(other, "manifest.json"), text);
  return id;
}

describe("a snapshot", () => {
  it("is its owner's alone, and is named by what it is", async () => {
    const folder = await snapshotFolder("first");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const files = readdirSync(folder).sort();
    expect(files).toEqual(["kept.json", "manifest.json", "ram", "state"]);
    for (const file of files) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
    const manifest = await readFile(join(folder, "manifest.json"));
    expect(folder.endsWith(createHash("sha256").update(manifest).digest("hex"))).toBe(true);
  });

  it.each([
    [
      "a bit of its memory flipped",
      (folder: string) => flipBit(join(folder, "ram"), 40_000_000),
      "its file ram was changed",
    ],
    [
      "a bit of its devices flipped",
      (folder: string) => flipBit(join(folder, "state"), 1_000),
      "its file state was changed",
    ],
    [
      "its memory cut short",
      (folder: string) => truncateSync(join(folder, "ram"), 100_000_000),
      "100000000 of 134217728 bytes",
    ],
    ["a file missing", (folder: string) => rm(join(folder, "state")), "its file state is missing"],
    [
      "its manifest changed",
      (folder: string) => flipBit(join(folder, "manifest.json"), 20),
      "its manifest was changed",
    ],
  ] as const)("with %s is not loaded, and the machine goes on", async (_what, damage, message) => {
    const { exitCode, stderr } = await withDamage("first", damage);
    expect(exitCode).toBe(125);
    expect(stderr).toContain(message);
    expect(await must("exec", "work", "--", "cat", "/tmp/state")).toBe("asked\n");
  });

  it.each([
    ["version of the hypervisor", { version: "6.6.6" }],
    ["processor", { cpu: "another" }],
    ["image", { imageDigest: `sha256-${"0".repeat(64)}` }],
  ])("of another %s is not loaded, and says which", async (what, change) => {
    const id = await rewriteManifest("first", (manifest) => {
      Object.assign(manifest["key"] as object, change);
      manifest["name"] = null;
    });
    const { exitCode, stderr } = await vm(["fork", id]);
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(what === "image" ? /image/ : new RegExp(`another ${what}`));
    await must("snapshot", "rm", id);
  });

  it("is encrypted on request, and brings the machine back all the same", async () => {
    const text = "words that only memory knows";
    await must("exec", "work", "--", "sh", "-c", `echo '${text}' > /tmp/secret`);
    await must("snapshot", "work", "--name", "sealed", "--encrypt");
    const ram = await readFile(join(await snapshotFolder("sealed"), "ram"));
    expect(ram.includes(text)).toBe(false);
    expect(statSync(join(home.stateDir, "snapshots.key")).mode & 0o777).toBe(0o600);
    await must("exec", "work", "--", "rm", "/tmp/secret");
    await must("restore", "work", "sealed");
    expect(await must("exec", "work", "--", "cat", "/tmp/secret")).toBe(`${text}\n`);
    await must("snapshot", "rm", "sealed");
    await must("restore", "work", "first");
  });

  it("that finds the disk full is given up, and the machine goes on", async () => {
    await using own = await createCliHome();
    const snapshots = join(own.stateDir, "snapshots");
    mkdirSync(snapshots, { recursive: true, mode: 0o700 });
    const said = runWithSmallDisk(own, { folder: snapshots, sizeMib: 16 }, [
      "lg vm start --name full --memory 128",
      'lg vm snapshot full; echo "code $?"',
      `ls -A '${snapshots}'; lg vm exec full -- echo on; lg vm rm full`,
    ]);
    expect(said.stderr).toContain("No space left");
    expect(said.stdout).toBe("full\ncode 125\non\n");
  });

  it("is not forked where the disk has no room for the fork, and leaves nothing of it", async () => {
    await using own = await createCliHome();
    const machines = join(own.stateDir, "machines");
    mkdirSync(machines, { recursive: true, mode: 0o700 });
    const said = runWithSmallDisk(own, { folder: machines, sizeMib: 80 }, [
      "lg vm start --name only --memory 128 >/dev/null",
      "lg vm snapshot only --name kept >/dev/null",
      'lg vm fork kept; echo "code $?"; lg vm ls --json | grep -c \'"id"\'',
      "lg vm exec only -- echo on; lg vm rm only",
    ]);
    expect(said.stderr).toMatch(/no room|No space left/);
    expect(said.stdout).toBe("code 125\n1\non\n");
  });

  it("in another format is not loaded, and says so", async () => {
    const id = await rewriteManifest("first", (manifest) => (manifest["version"] = 9));
    expect((await vm(["fork", id])).stderr).toContain("is in format 9");
    await must("snapshot", "rm", id);
  });

  it("leaves nothing when the program that makes it is killed", async () => {
    const child = home.start(["vm", "snapshot", "work"]);
    const drafts = (): string[] =>
      readdirSync(join(home.stateDir, "snapshots")).filter((name) => name.startsWith(".draft-"));
    await eventually("a draft is there", () => drafts().length > 0);
    child.kill("SIGKILL");
    await once(child, "close");
    const count = (await tell<readonly Listed[]>("snapshot", "ls")).length;
    expect(drafts()).toEqual([]);
    expect(count).toBeGreaterThan(0);
    expect(await must("exec", "work", "--", "echo", "on")).toBe("on\n");
  });

  it("is given up when its supervisor is killed while it saves, and the machine can be brought back", async () => {
    const all = await tell<readonly { name: string; supervisorPid: number }[]>("ls");
    const pid = all.find(({ name }) => name === "work")?.supervisorPid ?? 0;
    const family = await listFamily(pid);
    const child = home.start(["vm", "snapshot", "work"]);
    child.stdin.end();
    const folder = join(home.stateDir, "snapshots");
    await eventually("a draft is there", () => {
      return readdirSync(folder).some((name) => name.startsWith(".draft-"));
    });
    process.kill(pid, "SIGKILL");
    await once(child, "close");
    await areGone(family, 2_000);
    await must("restore", "work", "first");
    expect(await must("exec", "work", "--", "cat", "/tmp/state")).toBe("first\n");
  });

  it("with a name stays when there is no room for more, and the newest is refused", async () => {
    const env = { LUMINAGUARD_SNAPSHOTS_MAX: "1" };
    const { exitCode, stderr } = await vm(["snapshot", "work", "--name", "second"], { env });
    expect(exitCode).toBe(125);
    expect(stderr).toContain("over the limit");
    const names = (await tell<readonly Listed[]>("snapshot", "ls")).map(({ name }) => name);
    expect(names).toContain("first");
    expect(names).not.toContain("second");
  });
});
