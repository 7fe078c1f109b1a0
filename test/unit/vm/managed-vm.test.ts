import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLuminaGuardError } from "../../../src/errors.ts";
import type { ArrivingMachine, Greeter, Hypervisor, SaveKey } from "../../../src/vm/hypervisor.ts";
import type { VmState } from "../../../src/vm/lifecycle.ts";
import { ManagedVm } from "../../../src/vm/managed-vm.ts";
import { resolveVmSpec } from "../../../src/vm/spec.ts";
import { createScriptedHypervisor } from "../../support/scripted-hypervisor.ts";
import type { ScriptedHypervisor } from "../../support/scripted-hypervisor.ts";

const image = { digest: "0".repeat(64), kernelPath: "", initramfsPath: "" };
const done = (): Promise<void> => Promise.resolve();
const greeter: Greeter = {
  prepare: done,
  reach: done,
  greet: done,
  reopen: () => () => Promise.resolve(),
  measureClock: () => Promise.resolve(1),
};
const config = { spec: resolveVmSpec({ image }), greeter };
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function create(honoursAbort = true): { hypervisor: ScriptedHypervisor; vm: ManagedVm } {
  const hypervisor = createScriptedHypervisor(honoursAbort);
  return { hypervisor, vm: new ManagedVm(hypervisor, config) };
}

/** What a machine is, in the words of the table, without any of the promises. */
interface Model {
  state: VmState;
  spawn: "none" | "pending" | "over";
  alive: boolean;
  ending: "now" | "gently";
  readonly honoursAbort: boolean;
}
interface Real {
  readonly hypervisor: ScriptedHypervisor;
  readonly vm: ManagedVm;
}
type Step = fc.AsyncCommand<Model, Real>;

/** The state after the machine that is being stopped came to be, or was there. */
function endIt(model: Model): void {
  if (model.ending === "gently") return;
  model.alive = false;
  model.state = "stopped";
}

/** Does something, waits until all that follows has happened, and compares with the model. */
function step(name: string, can: (m: Model) => boolean, run: (m: Model, r: Real) => void): Step {
  return {
    check: (model) => can(model),
    run: async (model, real) => {
      run(model, real);
      await settle();
      expect(real.vm.state).toBe(model.state);
      expect(real.hypervisor.calls.spawn).toBe(model.spawn === "none" ? 0 : 1);
      expect(real.hypervisor.calls.kill).toBeLessThanOrEqual(1);
    },
    toString: () => name,
  };
}

const boot = step(
  "boot",
  () => true,
  (model, { vm }) => {
    if (["stopping", "stopped", "failed"].includes(model.state)) {
      expect(() => vm.boot()).toThrow(expect.objectContaining({ code: "VM_STATE" }));
      return;
    }
    vm.boot().catch(() => undefined); // how it ends is the model's business
    if (model.state === "created") Object.assign(model, { state: "booting", spawn: "pending" });
  },
);

const stop = (ending: Model["ending"]): Step =>
  step(
    `stop ${ending}`,
    () => true,
    (model, { vm }) => {
      vm.stop(ending === "now" ? 0 : 1_000_000).catch(() => undefined); // as above
      if (model.state === "created") model.state = "stopped";
      if (model.state === "booting" || model.state === "running") {
        model.ending = ending;
        model.state = "stopping";
        if (model.alive) endIt(model);
        else if (model.honoursAbort) Object.assign(model, { state: "stopped", spawn: "over" });
      }
    },
  );

const spawnSucceeds = step(
  "spawn succeeds",
  (model) => model.spawn === "pending",
  (model, { hypervisor }) => {
    hypervisor.succeed();
    Object.assign(model, { spawn: "over", alive: true });
    if (model.state === "booting") model.state = "running";
    else endIt(model);
  },
);

const spawnFails = step(
  "spawn fails",
  (model) => model.spawn === "pending",
  (model, { hypervisor }) => {
    hypervisor.fail(new Error("no machine"));
    model.spawn = "over";
    model.state = model.state === "booting" ? "failed" : "stopped";
  },
);

const machineDies = step(
  "machine dies",
  (model) => model.alive,
  (model, { hypervisor }) => {
    hypervisor.die();
    model.alive = false;
    model.state = model.state === "running" ? "failed" : "stopped";
  },
);

describe("a managed machine", () => {
  it("is in the state the table says, whatever happens in whatever order", async () => {
    const steps = [boot, stop("now"), stop("gently"), spawnSucceeds, spawnFails, machineDies];
    const commands = fc.commands(
      steps.map((one) => fc.constant(one)),
      { maxCommands: 12 },
    );
    const run = async (list: Iterable<Step>, honoursAbort: boolean): Promise<void> => {
      const real = create(honoursAbort);
      const model: Model = {
        ...{ state: "created", spawn: "none", alive: false, ending: "now" },
        honoursAbort,
      };
      await fc.asyncModelRun(() => ({ model, real }), list);
      real.hypervisor.die(); // so that no wait is left behind
      await settle();
    };
    await fc.assert(fc.asyncProperty(commands, fc.boolean(), run), { numRuns: 300 });
  });

  it("gives every caller of boot the same machine", async () => {
    const { hypervisor, vm } = create();
    const [one, other] = [vm.boot(), vm.boot()];
    hypervisor.succeed();
    expect(await one).toBe(await other);
    expect(hypervisor.calls.spawn).toBe(1);
  });

  it("fails with the hypervisor's own reason", async () => {
    const { hypervisor, vm } = create();
    const reason = new Error("no machine");
    const booting = vm.boot();
    hypervisor.fail(reason);
    await expect(booting).rejects.toBe(reason);
    expect(vm.state).toBe("failed");
  });

  it("hands the caller's signal on to the hypervisor", async () => {
    const { vm } = create();
    const over = new AbortController();
    const reason = new Error("enough");
    const booting = vm.boot(over.signal);
    over.abort(reason);
    await expect(booting).rejects.toBe(reason);
    expect(vm.state).toBe("failed");
  });

  it("that is stopped while it boots says so to whoever booted it", async () => {
    const { vm } = create();
    const booting = vm.boot();
    const stopping = vm.stop();
    await expect(booting).rejects.toMatchObject({ code: "CANCELLED" });
    await stopping;
    expect(vm.state).toBe("stopped");
  });

  it("that was stopped cannot boot, and says what to do instead", async () => {
    const { vm } = create();
    await vm.stop();
    expect(() => vm.boot()).toThrow(
      expect.objectContaining({
        code: "VM_STATE",
        message: "the machine cannot boot: it has stopped",
        hint: "spawn a new machine",
      }),
    );
  });

  it("that ends within its grace is not killed", async () => {
    const { hypervisor, vm } = create();
    hypervisor.succeed();
    await vm.boot();
    const stopping = vm.stop(60_000);
    hypervisor.die();
    await stopping;
    expect(hypervisor.calls).toEqual({ spawn: 1, stop: 1, kill: 0 });
  });

  it("that does not end within its grace is killed", async () => {
    const { hypervisor, vm } = create();
    hypervisor.succeed();
    await vm.boot();
    await vm.stop(5);
    await settle();
    expect(hypervisor.calls).toEqual({ spawn: 1, stop: 1, kill: 1 });
    expect(vm.state).toBe("stopped");
  });

  it("is killed without being asked when it gets no grace", async () => {
    const { hypervisor, vm } = create();
    hypervisor.succeed();
    await vm.boot();
    await vm.stop(0);
    expect(hypervisor.calls).toEqual({ spawn: 1, stop: 0, kill: 1 });
  });

  it("is killed when asking it fails", async () => {
    const { hypervisor, vm } = create();
    hypervisor.succeed();
    hypervisor.failStop = new Error("deaf");
    await vm.boot();
    await vm.stop(60_000);
    expect(hypervisor.calls).toEqual({ spawn: 1, stop: 1, kill: 1 });
  });

  it("ends with its scope, without grace", async () => {
    const { hypervisor, vm } = create();
    hypervisor.succeed();
    {
      await using scoped = vm;
      await scoped.boot();
    }
    expect(hypervisor.calls).toEqual({ spawn: 1, stop: 0, kill: 1 });
  });

  it("goes on from what was saved, or is refused where nothing can be restored", async () => {
    const key = { backend: "", version: "", cpu: "", imageDigest: "", arguments: "" };
    const saved = { folder: "/saved", key };
    const { hypervisor } = create();
    const vm = new ManagedVm(hypervisor, config, saved);
    await expect(vm.boot()).rejects.toMatchObject({ code: "SPEC_REFUSED" });
    expect(vm.state).toBe("failed");
    const given: unknown[] = [];
    const restore: Hypervisor["restore"] = (what, _config, signal) => {
      given.push(what);
      return hypervisor.spawn(config, signal);
    };
    const other = new ManagedVm({ ...hypervisor, restore }, config, saved);
    hypervisor.succeed();
    await other.boot();
    expect(given).toEqual([saved]);
    await other.stop(0);
  });

  it("takes a machine from another host, or is refused where none can arrive", async () => {
    const { hypervisor } = create();
    const arriving = { form: "stream" } as ArrivingMachine;
    const vm = new ManagedVm(hypervisor, config, undefined, arriving);
    await expect(vm.boot()).rejects.toMatchObject({ code: "SPEC_REFUSED" });
    expect(vm.state).toBe("failed");
    const given: unknown[] = [];
    const arrive: Hypervisor["arrive"] = (what, _config, signal) => {
      given.push(what);
      return hypervisor.spawn(config, signal);
    };
    const other = new ManagedVm({ ...hypervisor, arrive }, config, undefined, arriving);
    hypervisor.succeed();
    await other.boot();
    expect(given).toEqual([arriving]);
    await other.stop(0);
  });

  it("takes one that came in files as it takes one that was saved", async () => {
    const { hypervisor } = create();
    const arriving: ArrivingMachine = {
      ...{ form: "files", key: {} as SaveKey, unpack: () => Promise.resolve("folder") },
      ...{ settle: done, onRunning: () => undefined },
    };
    const given: unknown[] = [];
    const restore: Hypervisor["restore"] = (saved, _config, signal) => {
      given.push(saved.folder);
      return hypervisor.spawn(config, signal);
    };
    const vm = new ManagedVm({ ...hypervisor, restore }, config, undefined, arriving);
    hypervisor.succeed();
    await vm.boot();
    expect(given).toEqual(["folder"]);
    await vm.stop(0);
  });

  it("that ends by itself has failed", async () => {
    const { hypervisor, vm } = create();
    hypervisor.succeed();
    const instance = await vm.boot();
    hypervisor.die();
    expect(await instance.exited).toMatchObject({ requested: false });
    expect(vm.state).toBe("failed");
    expect(isLuminaGuardError(await vm.stop().catch((error: unknown) => error))).toBe(false);
  });
});
