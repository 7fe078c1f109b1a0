/** A machine that was saved on another host, with any backend that restores. */
import { describe, expect, it } from "vitest";
import { LuminaGuardError } from "../../../src/errors.ts";
import { arriveSaved } from "../../../src/vm/arrive-saved.ts";
import type { ArrivingFiles, Greeter, Hypervisor, SaveKey } from "../../../src/vm/hypervisor.ts";
import { resolveVmSpec } from "../../../src/vm/spec.ts";
import { createScriptedHypervisor } from "../../support/scripted-hypervisor.ts";

const image = { digest: "0".repeat(64), kernelPath: "", initramfsPath: "" };
const config = { spec: resolveVmSpec({ image }), greeter: {} as Greeter };
const key: SaveKey = { backend: "b", version: "1", cpu: "c", imageDigest: "d", arguments: "e" };

interface Tried {
  readonly happened: string[];
  readonly arriving: ArrivingFiles;
  readonly hypervisor: Hypervisor;
}

function arrange(here: SaveKey = key): Tried {
  const happened: string[] = [];
  const scripted = createScriptedHypervisor(true);
  scripted.succeed();
  const note = (what: string): Promise<void> => Promise.resolve(void happened.push(what));
  return {
    happened,
    arriving: {
      form: "files",
      key,
      unpack: () => note("unpack").then(() => "/arrived"),
      settle: () => note("settle"),
      onRunning: () => void happened.push("running"),
    },
    hypervisor: {
      ...scripted,
      saveKey: () => note("look at the key").then(() => here),
      restore: async (saved, wish, signal) => {
        await note(`restore ${saved.folder}`);
        return scripted.spawn(wish, signal);
      },
    },
  };
}

describe("a saved machine that arrives", () => {
  it("is looked at first, restored once it may run, and told of when it runs", async () => {
    const { happened, arriving, hypervisor } = arrange();
    await arriveSaved(hypervisor, arriving, config, new AbortController().signal);
    const order = ["look at the key", "unpack", "settle", "restore /arrived", "running"];
    expect(happened).toEqual(order);
  });

  it.each(["backend", "version", "cpu", "imageDigest", "arguments"] as const)(
    "of another %s is refused before a byte of it is taken",
    async (part) => {
      const { happened, arriving, hypervisor } = arrange({ ...key, [part]: "other" });
      const arrived = arriveSaved(hypervisor, arriving, config, new AbortController().signal);
      await expect(arrived).rejects.toMatchObject({ code: "SNAPSHOT_MISMATCH" });
      expect(happened).toEqual(["look at the key"]);
    },
  );

  it("is not restored when it stays where it was, or was called off", async () => {
    const declined = arrange();
    const stays = new LuminaGuardError("MIGRATION_FAILED", "it stays");
    const settle = (): Promise<never> => Promise.reject(stays);
    const { signal } = new AbortController();
    await expect(
      arriveSaved(declined.hypervisor, { ...declined.arriving, settle }, config, signal),
    ).rejects.toBe(stays);
    const stopped = arrange();
    const over = new AbortController();
    const waits = (gone: Promise<never>): Promise<never> => {
      over.abort(stays);
      return gone;
    };
    await expect(
      arriveSaved(stopped.hypervisor, { ...stopped.arriving, settle: waits }, config, over.signal),
    ).rejects.toBe(stays);
    for (const { happened } of [declined, stopped]) expect(happened.at(-1)).toBe("unpack");
  });

  it("is refused where nothing can be restored", async () => {
    const { arriving } = arrange();
    const arrived = arriveSaved(
      createScriptedHypervisor(true),
      arriving,
      config,
      new AbortController().signal,
    );
    await expect(arrived).rejects.toMatchObject({ code: "SPEC_REFUSED" });
  });
});
