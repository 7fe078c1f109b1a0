/**
 * What every hypervisor must do, whatever runs the machine. The core has no skips: a backend that
 * cannot pass it is not a backend. Commands used here are in every base image and in the fake.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm, stat, truncate } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { PausableClock } from "../../src/base/clock.ts";
import { createGreeter } from "../../src/runtime/greeter.ts";
import { MachineDesk } from "../../src/runtime/machine-desk.ts";
import { Machine } from "../../src/runtime/machine.ts";
import type { ArrivingMachine, Hypervisor, SavedMachine } from "../../src/vm/hypervisor.ts";
import { ManagedVm } from "../../src/vm/managed-vm.ts";
import type { VmSpec } from "../../src/vm/spec.ts";
import { isRunning, identifyProcess } from "../../src/process/process-identity.ts";

export interface HypervisorUnderTest {
  readonly create: (runtimeDir: string) => Promise<Hypervisor> | Hypervisor;
  readonly spec: () => Promise<VmSpec> | VmSpec;
  /** the facet of saving and restoring, and what a save does to commands that run
   * @default it has none, or is tried elsewhere */
  readonly saves?: { readonly commands: "go on" | "are told" } | undefined;
}

export function describeHypervisor(name: string, under: HypervisorUnderTest): void {
  describe(`the hypervisor ${name}`, () => {
    let runtimeDir: string;
    let hypervisor: Hypervisor;
    let spec: VmSpec;
    const machines: Machine[] = [];

    beforeAll(async () => {
      runtimeDir = await mkdtemp(join(tmpdir(), "lg-"));
      hypervisor = await under.create(runtimeDir);
      spec = await under.spec();
    });
    afterEach(async () => {
      await Promise.all(machines.splice(0).map((machine) => machine.stop()));
    });
    afterAll(() => rm(runtimeDir, { recursive: true, force: true }));

    async function boot(signal?: AbortSignal): Promise<Machine> {
      const greeter = createGreeter();
      const vm = new ManagedVm(hypervisor, { spec, greeter });
      const machine = new Machine(vm, await vm.boot(signal), greeter.wire, {
        env: { GREETING: "hello" },
        desk: new MachineDesk(runtimeDir),
        clock: new PausableClock(),
        facts: { backend: name, accelerator: "", nic: spec.nic, canaries: [] },
      });
      machines.push(machine);
      return machine;
    }

    it("says what it is, and that it is ready", async () => {
      expect(hypervisor.name).toMatch(/^[a-z]+$/);
      expect(await hypervisor.probe()).toMatchObject({ kind: "ready" });
      expect(hypervisor.check(spec)).toEqual([]);
    });

    it("boots a machine that knows when it was ready", async () => {
      const machine = await boot();
      expect(machine.id).toMatch(/^vm-[0-9a-f]{5}$/);
      expect(machine.spawnTimeMs).toBeGreaterThan(0);
    });

    it("gives each machine an id of its own", async () => {
      const [one, other] = [await boot(), await boot()];
      expect(one.id).not.toBe(other.id);
    });

    it("runs a command and keeps its streams apart", async () => {
      const machine = await boot();
      const result = await machine.exec(["sh", "-c", "echo out; echo err >&2"], { cwd: "/" });
      expect(result).toMatchObject({ exitCode: 0, stdout: "out\n", stderr: "err\n" });
    });

    it("gives a command's exit code as it was", async () => {
      const machine = await boot();
      const codes = [];
      for (const code of [0, 1, 7, 255]) {
        codes.push((await machine.exec(["sh", "-c", `exit ${code}`], { cwd: "/" })).exitCode);
      }
      expect(codes).toEqual([0, 1, 7, 255]);
    });

    it("passes bytes through a command unchanged", async () => {
      const machine = await boot();
      const bytes = randomBytes(300_000);
      const command = machine.exec(["cat"], { cwd: "/", stdin: bytes });
      const chunks: Buffer[] = [];
      for await (const { data } of command.output) chunks.push(data);
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    });

    it("gives a command its environment and its folder", async () => {
      const machine = await boot();
      const variables = await machine.exec(["env"], { cwd: "/", env: { NAME: "Ada Lovelace" } });
      const folder = await machine.exec(["pwd"], { cwd: "/tmp" });
      const lines = variables.stdout.split("\n");
      expect(lines).toEqual(expect.arrayContaining(["NAME=Ada Lovelace", "GREETING=hello"]));
      expect(folder.stdout).toBe("/tmp\n");
    });

    it("says so when there is no such command", async () => {
      const machine = await boot();
      await expect(machine.exec(["no-such-command"], { cwd: "/" })).rejects.toMatchObject({
        code: "EXEC_NOT_FOUND",
      });
    });

    it("ends a command at its time limit", async () => {
      const machine = await boot();
      const result = await machine.exec(["sleep", "60"], { cwd: "/", timeoutMs: 200 });
      expect(result).toMatchObject({ exitCode: 124, timedOut: true });
    });

    it("passes a signal on to a command", async () => {
      const machine = await boot();
      const command = machine.exec(["sleep", "60"], { cwd: "/" });
      await command.signal(15);
      expect((await command).exitCode).toBe(128 + 15);
    });

    it("ends a command when the caller aborts it", async () => {
      const machine = await boot();
      const reason = new Error("enough");
      const over = new AbortController();
      const command = machine.exec(["sleep", "60"], { cwd: "/", signal: over.signal });
      over.abort(reason);
      await expect(command).rejects.toBe(reason);
      expect((await machine.exec(["true"], { cwd: "/" })).exitCode).toBe(0);
    });

    it("runs commands side by side", async () => {
      const machine = await boot();
      const words = ["one", "two", "three", "four"];
      const results = await Promise.all(
        words.map((word) => machine.exec(["echo", word], { cwd: "/" })),
      );
      expect(results.map(({ stdout }) => stdout.trim())).toEqual(words);
    });

    it("writes a file and reads it back", async () => {
      const machine = await boot();
      const bytes = randomBytes(100_000);
      await machine.files.write("/tmp/deep/down/file", bytes);
      expect((await machine.files.read("/tmp/deep/down/file")).equals(bytes)).toBe(true);
      await expect(machine.files.read("/tmp/none")).rejects.toMatchObject({
        code: "GUEST_REFUSED",
      });
    });

    it("takes a large file in and gives it back, on whichever file system", async () => {
      const machine = await boot();
      const bytes = randomBytes(5 * 1024 ** 2 + 321);
      for (const path of ["/tmp/large", "/home/user/large", "/tmp/large"]) {
        await machine.files.write(path, bytes);
        expect((await machine.files.read(path)).equals(bytes)).toBe(true);
      }
    });

    it("survives garbage on the wire and serves the next connection", async () => {
      const greeter = createGreeter();
      await using vm = new ManagedVm(hypervisor, { spec, greeter });
      const instance = await vm.boot();
      greeter.wire().close();
      for (const length of [1, 24, 5_000]) {
        const socket = await connectWhenFree(instance.socketPath);
        socket.write(randomBytes(length), () => socket.destroy());
        await once(socket, "close");
      }
      // as hosts do: a greeting may be lost in what came before, and word of an end come late
      const answers = greeter.reopen(instance.socketPath)(AbortSignal.timeout(60_000));
      await expect(answers).resolves.toBeUndefined();
      greeter.wire().close();
    });

    it("stops a machine once, however often it is asked", async () => {
      const machine = await boot();
      await Promise.all([machine.stop(5_000), machine.stop(5_000)]);
      expect(await machine.exited).toMatchObject({ requested: true });
      await machine.stop();
    });

    it("fails a command whose machine is taken away", async () => {
      const machine = await boot();
      const command = machine.exec(["sleep", "60"], { cwd: "/" });
      const failed = expect(command).rejects.toMatchObject({ code: "WIRE_BROKEN" });
      await machine.stop();
      await failed;
    });

    it("leaves nothing of a spawn that was aborted", async () => {
      const over = new AbortController();
      const booting = boot(over.signal);
      over.abort(new Error("never mind"));
      await expect(booting).rejects.toThrow("never mind");
      expect(await readdir(runtimeDir)).toEqual([]);
    });

    it("leaves no process and no file of a machine that was killed", async () => {
      const machine = await boot();
      const vmm = machine.pid === 0 ? undefined : await identifyProcess(machine.pid);
      await machine.stop();
      expect(await readdir(runtimeDir)).toEqual([]);
      expect(vmm !== undefined && (await isRunning(vmm))).toBe(false);
    });

    describe.skipIf(under.saves === undefined)("that saves machines", () => {
      describeSaves(under, () => ({ hypervisor, spec, runtimeDir }));
    });
  });
}

/** A hypervisor takes one connection at a time: while it is busy with the last one it says so. */
async function connectWhenFree(path: string): Promise<net.Socket> {
  for (;;) {
    const socket = net.connect(path);
    const connected = await once(socket, "connect").then(
      () => true,
      (error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") return false;
        throw error;
      },
    );
    socket.on("error", () => undefined);
    if (connected) return socket;
  }
}

interface Ground {
  readonly hypervisor: Hypervisor;
  readonly spec: VmSpec;
  readonly runtimeDir: string;
}

/** Promises of a hypervisor with the facets `save` and `restore`. */
function describeSaves({ saves }: HypervisorUnderTest, ground: () => Ground): void {
  let folder: string;
  const machines: Machine[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "lg-saved-"));
  });
  afterEach(async () => {
    await Promise.all(machines.splice(0).map((machine) => machine.stop()));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function start(saved?: SavedMachine, arriving?: ArrivingMachine): Promise<Machine> {
    const { hypervisor, spec, runtimeDir } = ground();
    const memoryFolder = await mkdtemp(join(folder, "memory-"));
    const greeter = createGreeter(undefined, (saved ?? arriving) !== undefined);
    const wish = { spec, greeter, memoryFolder };
    const vm = new ManagedVm(hypervisor, wish, saved, arriving);
    const machine = new Machine(vm, await vm.boot(), greeter.wire, {
      env: {},
      desk: new MachineDesk(runtimeDir),
      clock: new PausableClock(),
      facts: { backend: hypervisor.name, accelerator: "", nic: spec.nic, canaries: [] },
    });
    machines.push(machine);
    return machine;
  }

  async function save(machine: Machine): Promise<SavedMachine> {
    const to = await mkdtemp(join(folder, "saved-"));
    const { key, stopMs } = await machine.save(to);
    expect(stopMs).toBeGreaterThan(0);
    return { folder: to, key };
  }

  async function tell(machine: Machine, script: string): Promise<string> {
    const { stdout } = await machine.exec(["sh", "-c", script], { cwd: "/" });
    return stdout.trim();
  }
  const identity = "cat /etc/hostname /etc/machine-id /proc/sys/kernel/random/boot_id";

  it("saves a machine that goes on as it was, and its commands go on or are told", async () => {
    const machine = await start();
    const before = await tell(machine, identity);
    const command = machine.exec(["sh", "-c", "sleep 0.5; echo done"], { cwd: "/" });
    const outcome = command.then(
      ({ stdout }) => stdout.trim(),
      (error: unknown) => (error as { code?: unknown }).code,
    );
    const saved = save(machine);
    expect(await outcome).toBe(saves?.commands === "go on" ? "done" : "WIRE_RESET");
    expect(await tell(machine, "echo asked meanwhile")).toBe("asked meanwhile");
    await saved;
    expect(await tell(machine, identity)).toBe(before);
    await machine.files.write("/tmp/later", "written after it was saved");
    expect(String(await machine.files.read("/tmp/later"))).toMatch(/^written after/);
  });

  it("restores a machine any number of times, each as one of its own that can be saved again", async () => {
    const machine = await start();
    const pid = await tell(machine, "echo 1 >/tmp/n; sleep 1000 >/dev/null 2>&1 & echo $!");
    const first = await save(machine);
    await tell(machine, "echo 2 >/tmp/n");
    const [one, other] = [await start(first), await start(first)];
    expect([one.kind, other.kind]).toEqual(["restored", "restored"]);
    for (const each of [one, other]) {
      expect(await tell(each, `kill -0 ${pid} && cat /tmp/n`)).toBe("1");
    }
    const names = await Promise.all([machine, one, other].map((each) => tell(each, identity)));
    const lines = names.flatMap((text) => text.split("\n"));
    expect(new Set(lines).size).toBe(9);
    await tell(one, "echo 3 >/tmp/n");
    const deep = await start(await save(one));
    expect(await tell(deep, `kill -0 ${pid} && cat /tmp/n`)).toBe("3");
    expect(await tell(other, "cat /tmp/n")).toBe("1");
  });

  it("lets a machine that stands still to be moved go on here, or where it was sent, and no save does", async () => {
    const machine = await start();
    await tell(machine, "echo 1 >/tmp/n");
    const stayed = await machine.suspend(await mkdtemp(join(folder, "leaving-")));
    await expect(save(machine)).rejects.toMatchObject({ code: "VM_STATE" });
    await stayed.goOn();
    await tell(machine, "echo 2 >/tmp/n");
    const to = await mkdtemp(join(folder, "leaving-"));
    const { key } = await machine.suspend(to);
    let isRunning = false;
    const arriving: ArrivingMachine = {
      ...{ form: "files", key, unpack: () => Promise.resolve(to) },
      settle: () => machine.stop(),
      onRunning: () => (isRunning = true),
    };
    const there = await start(undefined, arriving);
    expect(isRunning).toBe(true);
    expect(await tell(there, "cat /tmp/n")).toBe("2");
  });

  it("refuses to restore what another hypervisor, version, processor or image saved, or what is cut short", async () => {
    const machine = await start();
    const saved = await save(machine);
    await machine.stop();
    for (const part of ["backend", "version", "cpu", "imageDigest", "arguments"] as const) {
      const key = { ...saved.key, [part]: "another" };
      await expect(start({ ...saved, key })).rejects.toMatchObject({
        code: "SNAPSHOT_MISMATCH",
        details: { part },
      });
    }
    const [state = ""] = (await readdir(saved.folder)).filter((name) => name.includes("state"));
    const { size } = await stat(join(saved.folder, state));
    await truncate(join(saved.folder, state), Math.floor(size / 2));
    await expect(start(saved)).rejects.toThrow();
    expect(await readdir(ground().runtimeDir)).toEqual([]);
  });
}
