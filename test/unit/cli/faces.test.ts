import { describe, expect, it, vi } from "vitest";
import { write } from "../../../src/cli/io.ts";
import { createProgress } from "../../../src/cli/progress.ts";
import { watchSignals } from "../../../src/cli/signals.ts";
import { createCollectingFace, printTaskJson } from "../../../src/cli/task-json.ts";
import { createTerminalFace } from "../../../src/cli/task-terminal.ts";
import { runTask } from "../../../src/runtime/run-task.ts";
import type { SpawnFacts, TaskFace } from "../../../src/runtime/run-task.ts";
import { makeChange, makeChangeSet } from "../../support/change-set.ts";
import { createDryLumina } from "../../support/dry-lumina.ts";
import { createFakeIo } from "../../support/fake-io.ts";
import type { FakeIo } from "../../support/fake-io.ts";

const spawned: SpawnFacts = {
  machine: "vm-00001",
  kind: "clone",
  ms: 160,
  backend: "qemu",
  accelerator: "tcg",
  hasNetwork: false,
  reason: "no KVM: \u001bsilent",
};

function createFace(options: { terminal: boolean; tty: boolean }): FakeIo & { face: TaskFace } {
  const fake = createFakeIo(options);
  const signals = watchSignals(fake.io);
  signals[Symbol.dispose](); // this process's own signals are not a test's
  return { ...fake, face: createTerminalFace(fake.io, { tty: options.tty, signals }).face };
}

describe("a task on a terminal", () => {
  it("says what runs it, what went in and how it ended", () => {
    const { face, stderr } = createFace({ terminal: true, tty: false });
    face.onSpawned?.(spawned);
    face.onSpawned?.({ ...spawned, kind: "cold", ms: 1730, reason: undefined });
    face.onSpawned?.({ ...spawned, reason: "long ".repeat(10) });
    face.onWorkspace?.({ files: 214, bytes: 3_100_000, leftOut: [] });
    face.onDestroyed?.({ exitCode: 0, timedOut: false, durationMs: 1800, failure: undefined });
    face.onDestroyed?.({ exitCode: 124, timedOut: true, durationMs: 90, failure: undefined });
    expect(stderr().split("\n")).toEqual([
      "  machine   cloned in 0.16 s · qemu/tcg (no KVM: \\x1bsilent) · no network",
      "  machine   booted in 1.7 s · qemu/tcg · no network",
      "  machine   cloned in 0.16 s · qemu/tcg (see luminaguard doctor) · no network",
      "  workspace 214 files, 3.1 MB",
      "  done      exit 0 in 1.8 s · machine destroyed",
      "  done      timed out in 0.09 s · machine destroyed",
      "",
    ]);
  });

  it("says that a person froze it, and that it goes on", () => {
    const { face, stderr } = createFace({ terminal: false, tty: false });
    face.onFrozen?.(true, "vm-0a1b2");
    face.onFrozen?.(false, "vm-0a1b2");
    expect(stderr().split("\n")).toEqual([
      "  frozen    machine vm-0a1b2 was stopped by luminaguard freeze; luminaguard resume vm-0a1b2 goes on, luminaguard rm vm-0a1b2 ends it",
      "  resumed   machine vm-0a1b2 goes on",
      "",
    ]);
  });

  it("takes Ctrl-C for itself while it is frozen: the command could not hear it", async () => {
    await using dry = await createDryLumina();
    const { io } = createFakeIo();
    const passes: boolean[] = [];
    const signals = {
      ...watchSignals(io),
      onInterrupt: (pass: (() => void) | undefined) => passes.push(pass !== undefined),
    };
    const { face, release } = createTerminalFace(io, { tty: false, signals });
    await using machine = await dry.lumina.spawn();
    face.onFrozen?.(true, machine.id);
    face.onFrozen?.(false, machine.id);
    expect(passes).toEqual([false]);
    const command = machine.exec(["true"]);
    face.onStarted?.(command);
    face.onFrozen?.(true, machine.id);
    face.onFrozen?.(false, machine.id);
    expect(passes).toEqual([false, true, false, true]);
    await command;
    release();
    face.onFrozen?.(false, machine.id);
    expect(passes).toEqual([false, true, false, true, false]);
    signals[Symbol.dispose]();
  });

  it("shows a command's output as text and colours", async () => {
    const { face, stdout } = createFace({ terminal: true, tty: false });
    await face.onOutput({ source: "stdout", data: Buffer.from("\u001b[31mred\u001b[2J") });
    expect(stdout()).toBe("\u001b[31mred");
  });

  it.each([
    ["a pipe", { terminal: false, tty: false }],
    ["a command with a terminal of its own", { terminal: true, tty: true }],
  ])("gives %s the bytes as they are", async (_what, options) => {
    const { face, stdout } = createFace(options);
    await face.onOutput({ source: "stdout", data: Buffer.from("\u001b[2Jx") });
    expect(stdout()).toBe("\u001b[2Jx");
  });

  it("hands the command what comes on stdin, until it ended", async () => {
    await using dry = await createDryLumina();
    const { face, io, stdout } = createFace({ terminal: false, tty: false });
    io.stdin.push("typed\n");
    io.stdin.push(null);
    await runTask(dry.lumina, { argv: ["cat"], workdir: "/", stdin: true }, face);
    expect(stdout()).toBe("typed\n");
    expect(io.stdin.listenerCount("data")).toBe(0);
  });
});

describe("a task as JSON", () => {
  it("has the output, the changes and the decision in one document", async () => {
    await using dry = await createDryLumina();
    const { io, stdout } = createFakeIo();
    const collected = createCollectingFace();
    const request = { argv: ["sh", "-c", "echo out; echo err >&2; exit 3"], workdir: "/" };
    const result = await runTask(dry.lumina, request, collected.face);
    const changeSet = makeChangeSet([
      makeChange("a.txt", { flags: ["x"] }),
      makeChange("l", { kind: "deleted", before: { kind: "link", target: "a" }, after: null }),
    ]);
    const decision = { exitCode: 10, applied: [], changeSet: "7K2M" };
    printTaskJson(io, { ...result, changeSet }, decision, { asked: 2, answered: 1 }, collected);
    expect(JSON.parse(stdout())).toEqual({
      exitCode: 3,
      timedOut: false,
      failure: null,
      durationMs: expect.any(Number) as unknown,
      spawn: { kind: "cold", ms: expect.any(Number) as unknown },
      backend: "fake",
      accelerator: "none",
      network: false,
      stdout: "out\n",
      stderr: "err\n",
      outputCutBytes: 0,
      changes: [
        { path: "a.txt", kind: "modified", bytes: 20, flags: ["x"], conflict: null },
        { path: "l", kind: "deleted", bytes: 0, flags: [], conflict: null },
      ],
      refused: [],
      applied: [],
      changeSet: "7K2M",
      approvals: { asked: 2, answered: 1 },
    });
  });

  it("keeps 16 MiB of each stream and counts the rest", async () => {
    const collected = createCollectingFace();
    const data = Buffer.alloc(9 * 1024 * 1024, "x");
    for (const source of ["stdout", "stdout", "stderr"] as const) {
      await collected.face.onOutput({ source, data });
    }
    expect(collected.text("stdout")).toHaveLength(16 * 1024 * 1024);
    expect(collected.text("stderr")).toHaveLength(9 * 1024 * 1024);
    expect(collected.cut()).toBe(2 * 1024 * 1024);
  });
});

describe("progress", () => {
  it("is one line after a while, safe and cut to the terminal, and gone at the end", () => {
    vi.useFakeTimers();
    try {
      const { io, stderr } = createFakeIo({ terminal: true, columns: 30 });
      const progress = createProgress(io);
      progress.show("booting");
      expect(stderr()).toBe("");
      vi.advanceTimersByTime(500);
      expect(stderr()).toBe("\r\u001b[K  … booting a machine");
      const detail = `fetch \u001b[2J${"x".repeat(50)}`;
      progress.show({ detail } as Parameters<typeof progress.show>[0]);
      const [last = ""] = stderr().split("\r\u001b[K").slice(-1);
      expect(last).toHaveLength(29);
      expect(last).not.toContain("\u001b");
      progress.clear();
      expect(stderr().endsWith("\r\u001b[K")).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is silent where it was quick, and where nobody watches", () => {
    vi.useFakeTimers();
    try {
      const [quick, piped] = [createFakeIo({ terminal: true }), createFakeIo()];
      const progress = createProgress(quick.io);
      progress.show("cloning");
      progress.clear();
      createProgress(piped.io).show("cloning");
      vi.advanceTimersByTime(5_000);
      expect(quick.stderr() + piped.stderr()).toBe("");
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("signals", () => {
  const emit = (name: NodeJS.Signals): boolean => process.emit(name, name);

  it("pass the first Ctrl-C to the command, and end the machine at the second", () => {
    const { io, stderr } = createFakeIo();
    using signals = watchSignals(io);
    let passed = 0;
    signals.onInterrupt(() => (passed += 1));
    emit("SIGINT");
    expect([passed, signals.signal.aborted, signals.exitCode]).toEqual([1, false, undefined]);
    expect(stderr()).toContain("again ends the machine now");
    emit("SIGINT");
    expect([passed, signals.signal.aborted, signals.exitCode]).toEqual([1, true, 130]);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGHUP", 129],
    ["SIGTERM", 143],
  ] as const)("end the machine at once on %s where no command runs", (name, code) => {
    const { io } = createFakeIo();
    using signals = watchSignals(io);
    emit(name);
    expect(signals.exitCode).toBe(code);
    expect(signals.signal.reason).toMatchObject({ code: "CANCELLED" });
    emit("SIGTERM");
    expect(signals.exitCode).toBe(code);
  });

  it("are heard no longer than the run", () => {
    const before = process.listenerCount("SIGTERM");
    {
      using signals = watchSignals(createFakeIo().io);
      expect(process.listenerCount("SIGTERM")).toBe(before + 1);
      expect(signals.exitCode).toBeUndefined();
    }
    expect(process.listenerCount("SIGTERM")).toBe(before);
  });
});

describe("writing", () => {
  it("waits while the reader is behind, and not for one who has gone", async () => {
    const { io } = createFakeIo();
    expect(write(io.stdout, "x")).toBeUndefined();
    io.stdout.pause();
    const waiting = Promise.resolve(write(io.stdout, Buffer.alloc(1_000_000)));
    let isDone = false;
    void waiting.then(() => (isDone = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isDone).toBe(false);
    io.stdout.destroy();
    await waiting;
    expect(write(io.stdout, "x")).toBeUndefined();
  });
});
