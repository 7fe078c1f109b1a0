/**
 * Machines that outlive a command and their snapshots: taken while they run, forked into machines of their
 * own, and brought back in their place.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { toHostError } from "../../base/host-error.ts";
import type { Config } from "../../config/config.ts";
import { LuminaGuardError } from "../../errors.ts";
import { createKeychain } from "../../process/keychain.ts";
import { tryTakeLock } from "../../process/process-lock.ts";
import { findSealingKey, makeSealingKey } from "../../process/sealing-key.ts";
import type { SealingKey, SealingKeyOptions } from "../../process/sealing-key.ts";
import type { KeptRecord } from "../../vm/kept/kept-record.ts";
import { requireName } from "../../vm/kept/kept-store.ts";
import type { Kept } from "../../vm/kept/kept-store.ts";
import { SnapshotStore } from "../../vm/snapshots/snapshot-store.ts";
import type { OpenSnapshot, Snapshot } from "../../vm/snapshots/snapshot-store.ts";
import type { SnapshotKind } from "../../vm/snapshots/snapshot-manifest.ts";
import { sessionEnvironment } from "../session-environment.ts";
import type { KeptDesk, StartOptions, Started } from "./kept-desk.ts";
import { KeptLog } from "./kept-log.ts";
import { baselineName } from "./kept-workspace.ts";
import { requireDecided } from "./require-decided.ts";

export interface SnapshotWish {
  /** a person's name for it @default none */
  readonly name?: string | undefined;
  /** @default "asked" */
  readonly kind?: SnapshotKind | undefined;
  /** its files are encrypted @default false */
  readonly isSealed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TakenSnapshot extends Snapshot {
  /** how long the machine stood still, in `ms` */
  readonly stopMs: number;
}

/** A machine's state that was written down; it is a snapshot once it was hashed and published. */
export interface PendingSnapshot {
  readonly stopMs: number;
  readonly published: Promise<TakenSnapshot>;
}

/** what a machine made from the snapshot is beside its memory, in a file of the snapshot */
const factsName = "kept.json";

type Facts = Pick<KeptRecord, "image" | "env" | "workspace">;

const factsSchema: v.GenericSchema<unknown, Facts & { readonly baseline: unknown }> = v.object({
  image: v.string(),
  env: v.record(v.string(), v.string()),
  workspace: v.nullable(v.object({ root: v.string(), include: v.array(v.string()) })),
  baseline: v.unknown(),
});

/** machines that are started at the same time */
const startsAtOnce = 2;
/** most forks at once */
const forksMax = 100;

export class KeptSnapshots {
  readonly store: SnapshotStore;
  readonly #desk: KeptDesk;
  readonly #keys: SealingKeyOptions;

  constructor(
    desk: KeptDesk,
    config: Pick<Config, "stateDir" | "snapshotsMax" | "snapshotsMibMax">,
  ) {
    this.#desk = desk;
    this.#keys = sealingKeyOptions(config.stateDir);
    const limits = {
      countMax: config.snapshotsMax,
      bytesMax: config.snapshotsMibMax * 1024 ** 2,
    };
    this.store = new SnapshotStore(config.stateDir, limits, (place) => {
      return findSealingKey(place, this.#keys);
    });
  }

  /** Raises VM_STATE, VM_GONE, HOST_LIMIT, or USAGE for what is no name. */
  async take(kept: Kept, wish: SnapshotWish = {}): Promise<TakenSnapshot> {
    const { published } = await this.begin(kept, wish);
    return published;
  }

  /** Resolves as soon as the machine goes on; hashing and publishing take longer. */
  async begin(kept: Kept, wish: SnapshotWish = {}): Promise<PendingSnapshot> {
    const { name = null, kind = "asked", isSealed = false, signal } = wish;
    if (name !== null) requireName(name);
    using machine = await this.#desk.attach(kept, { signal });
    const draft = await this.store.draft();
    try {
      const sealingKey = isSealed ? await this.#sealingKey() : undefined;
      const save = await machine.save(draft.folder, { signal });
      const { stopMs, key } = save;
      const { id, memoryMib, vcpus, parent } = (await this.#desk.find(kept.record.name)).record;
      await writeFacts(draft.folder, kept);
      const facts = { name, kind, parent, memoryMib, vcpus, key };
      const published = draft
        .publish(
          { ...facts, machine: { id, name: kept.record.name } },
          kind === "asked",
          sealingKey,
        )
        .then(async (snapshot) => {
          await this.#desk.store.update(kept, { parent: snapshot.id });
          const told = { snapshot: snapshot.id.slice(0, 12), kind, stopMs: Math.round(stopMs) };
          await new KeptLog(kept.folder).add("saved", told);
          return { ...snapshot, stopMs };
        });
      published.catch(() => undefined); // whoever awaits it hears of it
      return { stopMs, published };
    } catch (error) {
      await draft.discard();
      throw error;
    }
  }

  /** New machines that go on where the snapshot was taken, named after `name`. Raises USAGE and what a start raises. */
  async fork(
    snapshotId: string,
    {
      count,
      name,
      ...options
    }: Pick<StartOptions, "onPhase" | "signal"> & {
      readonly count: number;
      readonly name?: string | undefined;
    },
  ): Promise<readonly Started[]> {
    if (!Number.isSafeInteger(count) || count < 1 || count > forksMax) {
      throw new LuminaGuardError("USAGE", `${count} forks: use a number from 1 to ${forksMax}`);
    }
    await using opened = await this.store.open(snapshotId, options.signal);
    const names = await this.#forkNames(
      name ?? opened.manifest.machine.name,
      count,
      name !== undefined,
    );
    const started: Started[] = [];
    const next = async (): Promise<void> => {
      for (let one = names.shift(); one !== undefined; one = names.shift()) {
        started.push(await this.#forkOne(opened, one, options));
      }
    };
    const lanes = Array.from({ length: Math.min(startsAtOnce, count) }, next);
    const ends = await Promise.allSettled(lanes);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    return started;
  }

  /** The machine goes on where the snapshot was taken; what it did since is gone. */
  async restore(kept: Kept, snapshotId: string, options: StartOptions = {}): Promise<Started> {
    await using opened = await this.store.open(snapshotId, options.signal);
    const { key, memoryMib, vcpus } = opened.manifest;
    const { record } = kept;
    if (memoryMib !== record.memoryMib || vcpus !== record.vcpus) {
      throw new LuminaGuardError(
        "SNAPSHOT_MISMATCH",
        `snapshot ${snapshotId.slice(0, 12)} is of a machine with ${memoryMib} MiB and ${vcpus} processors`,
        {
          hint: `luminaguard vm fork ${snapshotId.slice(0, 12)}  makes a machine of it`,
          details: { key },
        },
      );
    }
    requireDecided(kept);
    await this.#desk.stop(kept);
    await putBaseline(kept.folder, await readFacts(opened));
    const now = await this.#desk.find(record.name);
    const started = await this.#desk.run(now, { ...options, snapshot: snapshotId });
    await this.#desk.store.update(now, { parent: snapshotId });
    return started;
  }

  /** The newest snapshot of this machine. Raises SNAPSHOT_NOT_FOUND. */
  async newestOf({ record }: Kept): Promise<string> {
    const own = (await this.store.list()).filter(
      ({ manifest }) => manifest.machine.id === record.id,
    );
    const id = own.at(-1)?.id ?? record.parent;
    if (id !== null) return id;
    throw new LuminaGuardError("SNAPSHOT_NOT_FOUND", `machine ${record.name} has no snapshot`, {
      hint: `luminaguard vm restart ${record.name}  starts it fresh`,
    });
  }

  /** Made by the first snapshot that is sealed; one process at a time. */
  async #sealingKey(): Promise<SealingKey> {
    const lock = await tryTakeLock(join(this.#keys.folder, "snapshots.key.lock"));
    if (lock === undefined) {
      throw new LuminaGuardError("STORE_FAILED", "another process makes the key of snapshots");
    }
    await using _held = lock;
    return await makeSealingKey(this.#keys);
  }

  async #forkOne(
    opened: OpenSnapshot,
    name: string,
    options: Pick<StartOptions, "onPhase" | "signal">,
  ): Promise<Started> {
    const { memoryMib, vcpus } = opened.manifest;
    const facts = await readFacts(opened);
    const { image, env, workspace } = facts;
    const wish = { name, image, memoryMib, vcpus, env, workspace };
    const prepare = (kept: Kept): Promise<void> => putBaseline(kept.folder, facts);
    return this.#desk.start(wish, { ...options, snapshot: opened.id, prepare });
  }

  async #forkNames(base: string, count: number, isAsked: boolean): Promise<string[]> {
    if (isAsked && count === 1) return [base];
    const taken = new Set((await this.#desk.list()).map(({ record }) => record.name));
    const names: string[] = [];
    for (let number = 1; names.length < count; number += 1) {
      const name = `${base}-${number}`;
      if (!taken.has(name)) names.push(name);
    }
    return names;
  }
}

function sealingKeyOptions(folder: string): SealingKeyOptions {
  return {
    folder,
    keychain: createKeychain({ env: sessionEnvironment(), service: "luminaguard-snapshots" }),
    fileName: "snapshots.key",
    what: "sealed snapshots",
    exposedHint: "remove what was sealed with it",
    unusable: (why) =>
      new LuminaGuardError("STORE_FAILED", `a sealed snapshot cannot be opened: ${why}`, {
        hint: "put the key back from a backup: what it sealed is lost without it",
      }),
  };
}

async function writeFacts(folder: string, { folder: from, record }: Kept): Promise<void> {
  const { image, env, workspace } = record;
  const text = await readFile(join(from, baselineName), "utf8").catch(() => "null");
  const facts = { image, env, workspace, baseline: JSON.parse(text) as unknown };
  try {
    await writeFile(join(folder, factsName), JSON.stringify(facts), { mode: 0o600 });
  } catch (error) {
    throw toHostError(error, "a snapshot cannot be kept");
  }
}

async function readFacts({ saved }: OpenSnapshot): Promise<v.InferOutput<typeof factsSchema>> {
  return v.parse(factsSchema, JSON.parse(await readFile(join(saved.folder, factsName), "utf8")));
}

async function putBaseline(
  folder: string,
  { baseline }: { readonly baseline: unknown },
): Promise<void> {
  if (baseline === null) return;
  await writeFile(join(folder, baselineName), JSON.stringify(baseline), { mode: 0o600 });
}
