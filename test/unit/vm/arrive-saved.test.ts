/** The order in which a machine that came in files is looked at, settled and run. */
import { describe, expect, it } from "vitest";
import type { ArrivingFiles, Greeter, Hypervisor, SaveKey } from "../../../src/vm/hypervisor.ts";
import { ManagedVm } from "../../../src/vm/managed-vm.ts";
import { resolveVmSpec } from "../../../src/vm/spec.ts";
import { createScriptedHypervisor } from "../../support/scripted-hypervisor.ts";

const image = { digest: "0".repeat(64), kernelPath: "", initramfsPath: "" };
const done = (): Promise<void> => Promise.resolve();
const greeter: Greeter = {
  prepare: done,
  reach: done,
  greet: done,
  reopen: () => done,
  measureClock: () => Promise.resolve(1),
};
const config = { spec: resolveVmSpec({ image }), greeter };
const key: SaveKey = {
  ...{ backend: "scripted/none", version: "1", cpu: "any" },
  ...{ imageDigest: image.digest, arguments: "" },
};

interface Story {
  readonly heard: string[];
  readonly arriving: ArrivingFiles;
  readonly restore: NonNullable<Hypervisor["restore"]>;
  readonly hypervisor: ReturnType<typeof createScriptedHypervisor>;
}

function tell(settle: ArrivingFiles["settle"] = done): Story {
  const heard: string[] = [];
  const hypervisor = createScriptedHypervisor(true);
  hypervisor.succeed();
  const say = (word: string): void => void heard.push(word);
  return {
    heard,
    hypervisor,
    arriving: {
      form: "files",
      key,
      unpack: () => {
        say("unpack");
        return Promise.resolve("folder");
      },
      settle: (gone) => {
        say("settle");
        return settle(gone);
      },
      onRunning: () => say("running"),
    },
    restore: (saved, _config, signal) => {
      say(`restore ${saved.folder}`);
      return hypervisor.spawn(config, signal);
    },
  };
}

describe("a machine that came in files", () => {
  it("runs only when all of it is here and it was settled, and then says so", async () => {
    const { heard, arriving, restore, hypervisor } = tell();
    const vm = new ManagedVm({ ...hypervisor, restore }, config, undefined, arriving);
    await vm.boot();
    expect(heard).toEqual(["unpack", "settle", "restore folder", "running"]);
    await vm.stop(0);
  });

  it("is refused before a byte of it is taken where it could not run", async () => {
    const { heard, arriving, restore, hypervisor } = tell();
    const cannot = new ManagedVm(hypervisor, config, undefined, arriving);
    await expect(cannot.boot()).rejects.toMatchObject({ code: "SPEC_REFUSED" });
    const saveKey = (): Promise<SaveKey> => Promise.resolve({ ...key, version: "2" });
    const other = new ManagedVm({ ...hypervisor, restore, saveKey }, config, undefined, arriving);
    await expect(other.boot()).rejects.toMatchObject({ code: "SNAPSHOT_MISMATCH" });
    expect(heard).toEqual([]);
  });

  it("that stays where it came from never runs here", async () => {
    const { heard, arriving, restore, hypervisor } = tell(() => Promise.reject(new Error("no")));
    const vm = new ManagedVm({ ...hypervisor, restore }, config, undefined, arriving);
    await expect(vm.boot()).rejects.toThrow("no");
    expect(heard).toEqual(["unpack", "settle"]);
  });

  it("is given up while it waits for its word when whoever waits for it is stopped", async () => {
    const { heard, arriving, restore, hypervisor } = tell((gone) => gone);
    const vm = new ManagedVm({ ...hypervisor, restore }, config, undefined, arriving);
    const over = new AbortController();
    const booted = vm.boot(over.signal);
    booted.catch(() => undefined);
    await expect.poll(() => heard).toEqual(["unpack", "settle"]);
    over.abort(new Error("enough"));
    await expect(booted).rejects.toThrow("enough");
    expect(heard).toEqual(["unpack", "settle"]);
  });
});
