/**
 * A machine's way to this host, over a link or out of a file, as its supervisor sees it. It runs here only with the token by which the
 * sender gave it up, or when a person vouches that the sender has it no more. A link that is cut before all
 * of it came ends the move; one that is cut after leaves it standing still until it is decided.
 */
import { mkdir, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import * as v from "valibot";
import { createDeferred } from "../../base/deferred.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { ArrivingMachine } from "../../vm/hypervisor.ts";
import type { KeptRecord } from "../../vm/kept/kept-record.ts";
import type { FrameLink } from "../../vm/migration/frame-link.ts";
import { arrivalFolder, keepSaveKey } from "../../vm/migration/arrival.ts";
import { claimMove } from "../../vm/migration/claims.ts";
import { hashSecret, stepReceiver } from "../../vm/migration/handover.ts";
import type { ReceiverStep } from "../../vm/migration/handover.ts";
import { writeJournal } from "../../vm/migration/journal.ts";
import type { ReceiverJournal } from "../../vm/migration/journal.ts";
import { receiveFiles } from "../../vm/migration/machine-files.ts";
import { senderSchema } from "../../vm/migration/messages.ts";
import type { Hello } from "../../vm/migration/messages.ts";
import { baselineName } from "../kept/kept-workspace.ts";
import { toPlainError } from "../kept/supervisor-protocol.ts";

const baselineTimeoutMs = 60_000;
/** between two words of a sender that writes a file, in `ms` */
const partTimeoutMs = 60_000;
/** the sender stops the machine and writes a line, in `ms`; the machine waits for a person all the same */
const commitTimeoutMs = 60_000;

export interface MoveInParts {
  readonly folder: string;
  readonly memoryFolder: string;
  readonly stateDir: string;
  readonly record: Pick<KeptRecord, "id" | "name">;
  readonly hello: Hello;
  /** as it was written down when the machine's name was taken here */
  readonly journal: ReceiverJournal;
  readonly link: FrameLink;
}

export class MoveIn {
  readonly #parts: MoveInParts;
  readonly #decided = createDeferred<undefined>();
  #journal: ReceiverJournal;
  #steps: Promise<unknown> = Promise.resolve();

  constructor(parts: MoveInParts) {
    this.#parts = parts;
    this.#decided.promise.catch(() => undefined); // awaited once all of it is here
    this.#journal = parts.journal;
  }

  /** As its hypervisor needs to know of it. */
  get arriving(): ArrivingMachine {
    const { key, form } = this.#parts.hello;
    const { settle, onRunning } = this;
    return form === "stream"
      ? { form, key, settle, onRunning, open: () => this.#open() }
      : { form, key, settle, onRunning, unpack: () => this.#unpack() };
  }

  get journal(): ReceiverJournal {
    return this.#journal;
  }

  async #open(): Promise<Readable> {
    const { memoryFolder, link, hello } = this.#parts;
    await requireRoom(memoryFolder, hello.machine.memoryMib);
    await this.#accept();
    return link.receiveBytes((message, bytes) => requireEnd(message, bytes));
  }

  async #unpack(): Promise<string> {
    const { folder, link, hello } = this.#parts;
    const { memoryMib } = hello.machine;
    await requireRoom(folder, 2 * memoryMib); // what came is kept until the machine ran
    await this.#accept();
    const into = arrivalFolder(folder);
    await mkdir(into, { mode: 0o700 });
    const options = { timeoutMs: partTimeoutMs, what: "part of the machine" };
    const { end, bytes } = await receiveFiles(() => link.next(options), into, memoryMib);
    requireEnd(end, bytes);
    await keepSaveKey(folder, hello.key);
    return into;
  }

  async #accept(): Promise<void> {
    const { folder, link } = this.#parts;
    await link.send({ kind: "accepted", proofHash: hashSecret(this.#journal.proof) });
    const said = await link.receive(senderSchema, {
      ...{ timeoutMs: baselineTimeoutMs, what: "list of what was sent into the machine" },
    });
    if (said.kind !== "baseline") throw unexpected(said.kind);
    if (said.baseline !== null) {
      await writeFile(join(folder, baselineName), JSON.stringify(said.baseline), { mode: 0o600 });
    }
  }

  readonly settle = async (gone: Promise<never>): Promise<void> => {
    await this.take("all is here");
    const { link } = this.#parts;
    // whatever becomes of a link: the machine waits here, and a person may decide
    void link
      .send({ kind: "ready" })
      .then(() => this.#hearCommit())
      .catch((error: unknown) => {
        // a file says all there is to say: what it did not say, nobody will
        if (this.#journal.pin === null) this.#decided.reject(error);
        else link.close();
      });
    await Promise.race([this.#decided.promise, gone]);
  };

  readonly onRunning = (): void => {
    void this.#parts.link.send({ kind: "running" }).catch(() => undefined); // it may ask again
  };

  async arrived(machine: string): Promise<void> {
    const { link } = this.#parts;
    await link.send({ kind: "arrived", machine }).catch(() => undefined); // it may ask again
  }

  async refuse(error: unknown): Promise<void> {
    const plain = toPlainError(error);
    await this.#parts.link.send({ ...plain, kind: "refused" }).catch(() => undefined);
  }

  /** One step at a time, on disk before anything follows from it. Raises MIGRATION_IN_DOUBT. */
  take(step: ReceiverStep): Promise<ReceiverJournal> {
    const taken = this.#steps.then(() => this.#take(step));
    this.#steps = taken.catch(() => undefined);
    return taken;
  }

  async #take(step: ReceiverStep): Promise<ReceiverJournal> {
    const phase = stepReceiver(this.#journal.phase, step, this.#journal.tokenHash);
    if (phase !== this.#journal.phase) {
      if (phase === "taken" && this.#journal.pin === null) await this.#claim();
      const next = { ...this.#journal, phase };
      await writeJournal(this.#parts.folder, next);
      this.#journal = next;
    }
    if (phase === "taken") this.#decided.resolve(undefined);
    if (phase === "declined") this.#decided.reject(declined());
    return this.#journal;
  }

  /** Out of a file it is taken once on this host. Raises VM_MOVED. */
  async #claim(): Promise<void> {
    const { stateDir, record } = this.#parts;
    const { id: machine, name } = record;
    await claimMove(stateDir, this.#journal.id, { kind: "taken", machine, name });
  }

  async #hearCommit(): Promise<void> {
    const options = { timeoutMs: commitTimeoutMs, what: "word that the machine is given up" };
    const said = await this.#parts.link.receive(senderSchema, options);
    if (said.kind !== "commit") throw unexpected(said.kind);
    await this.take({ token: said.token });
  }
}

function declined(): LuminaGuardError {
  return new LuminaGuardError("MIGRATION_FAILED", "the machine stays where it came from");
}

function unexpected(kind: string): LuminaGuardError {
  return new LuminaGuardError("WIRE_BROKEN", `the other host said "${kind}" out of turn`);
}

function requireEnd(message: unknown, bytes: number): void {
  const end = v.safeParse(senderSchema, message);
  if (end.success && end.output.kind === "end" && end.output.bytes === bytes) return;
  throw new LuminaGuardError("WIRE_BROKEN", "the machine did not come as a whole");
}

async function requireRoom(folder: string, memoryMib: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize > memoryMib * 1024 ** 2) return;
  throw new LuminaGuardError("HOST_LIMIT", `the other host has no room for ${memoryMib} MiB`, {
    hint: "make room there with: luminaguard vm snapshot rm, luminaguard cache prune",
  });
}
