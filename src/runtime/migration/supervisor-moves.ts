/** What a supervisor does about moves of its machine, in either direction: one at a time. */
import { LuminaGuardError, isLuminaGuardError } from "../../errors.ts";
import { createDeferred } from "../../base/deferred.ts";
import type { KeptRecord } from "../../vm/kept/kept-record.ts";
import { forgetArrival } from "../../vm/migration/arrival.ts";
import type { FrameLink } from "../../vm/migration/frame-link.ts";
import { readJournal } from "../../vm/migration/journal.ts";
import { senderSchema } from "../../vm/migration/messages.ts";
import type { Machine } from "../machine.ts";
import { notAsked } from "./go-on.ts";
import { MoveIn } from "./move-in.ts";
import { moveOut } from "./move-out.ts";
import type { MoveOutParts } from "./move-out.ts";
import { moveToFile } from "./move-to-file.ts";
import { serveMoves } from "./move-server.ts";
import type { MoveServer } from "./move-server.ts";
import { moveSocketPath } from "../../vm/kept/socket-paths.ts";
import type { MoveAnswer, MoveRequest, ResolveRequest } from "./move-words.ts";
import { resolveAtSender } from "./resolve-sender.ts";
import type { LeavingMachine, Standing } from "./ship.ts";

export interface SupervisorMovesParts {
  readonly folder: string;
  readonly memoryFolder: string;
  readonly record: KeptRecord;
  readonly stateDir: string;
  readonly runtimeDir: string;
  /** the machine is another host's now: it is to end here */
  readonly onGone: (to: string) => void;
  readonly note: (what: string, facts: Readonly<Record<string, string>>) => Promise<void>;
}

const helloTimeoutMs = 10_000;
/** between two words about how far it is, in `ms` */
const progressMs = 250;

export class SupervisorMoves {
  readonly #parts: SupervisorMovesParts;
  readonly #arriving = createDeferred<MoveIn>();
  readonly #machine = createDeferred<Machine>();
  readonly #over = createDeferred<undefined>();
  #moveIn: MoveIn | undefined;
  #standing: Standing | undefined;
  #isMoving = false;
  #machineId = "";

  constructor(parts: SupervisorMovesParts) {
    this.#parts = parts;
    for (const { promise } of [this.#machine, this.#over]) promise.catch(() => undefined);
  }

  listen(): Promise<MoveServer> {
    const path = moveSocketPath(this.#parts.runtimeDir, this.#parts.record.id);
    return serveMoves(path, (request, link) => this.#handle(request, link));
  }

  /** Resolves when a machine is on its way here. */
  get arriving(): Promise<MoveIn> {
    return this.#arriving.promise;
  }

  /** The machine is here and runs. */
  async hold(machine: Machine): Promise<void> {
    this.#machineId = machine.id;
    this.#machine.resolve(machine);
    await forgetArrival(this.#parts.folder);
    if (this.#moveIn === undefined) return;
    const { from, id } = this.#moveIn.journal;
    await this.#parts.note("machine-moved-in", { from, move: id, machine: machine.id });
    await this.#moveIn.arrived(machine.id);
    this.#over.resolve(undefined);
  }

  /** The machine did not come. */
  async refuse(error: unknown): Promise<void> {
    this.#machine.reject(error);
    await this.#moveIn?.refuse(explainMissing(error, this.#parts.record.image));
    this.#over.resolve(undefined);
  }

  async #handle(request: MoveRequest, link: FrameLink): Promise<void> {
    switch (request.kind) {
      case "arrive":
        await this.#arrive(link);
        return;
      case "commit":
        await this.#requireMoveIn(request.id).take({ token: request.token });
        await link.send({ kind: "arrived", machine: (await this.#machine.promise).id });
        return;
      case "withdraw":
        await this.#withdraw(link, request.id);
        return;
      case "migrate":
        await this.#migrate(link, request);
        return;
      case "migrate to file":
        await this.#migrateToFile(link, request.path);
        return;
      case "resolve":
        await link.send(await this.#resolve(request));
        this.#endIfGone();
    }
  }

  async #arrive(link: FrameLink): Promise<void> {
    const what = "greeting";
    const hello = await link.receive(senderSchema, { timeoutMs: helloTimeoutMs, what });
    if (hello.kind !== "hello" || this.#moveIn !== undefined) {
      throw new LuminaGuardError("WIRE_BROKEN", "nothing is to arrive here");
    }
    const journal = await readJournal(this.#parts.folder);
    if (journal?.role !== "receiver" || journal.id !== hello.id) {
      throw new LuminaGuardError("WIRE_BROKEN", "another machine is to arrive here");
    }
    this.#moveIn = new MoveIn({ ...this.#parts, hello, journal, link });
    this.#arriving.resolve(this.#moveIn);
    await this.#over.promise;
  }

  async #withdraw(link: FrameLink, id: string): Promise<void> {
    const moveIn = this.#requireMoveIn(id);
    if (moveIn.journal.phase === "taken") {
      await link.send({ kind: "arrived", machine: (await this.#machine.promise).id });
      return;
    }
    const { proof } = await moveIn.take("decline");
    await link.send({ kind: "declined", proof });
  }

  async #migrate(link: FrameLink, wish: Extract<MoveRequest, { kind: "migrate" }>): Promise<void> {
    const moved = await this.#leave(link, (parts) => moveOut(parts, wish));
    await this.#parts.note("machine-moved-out", { to: wish.to, machine: this.#machineId });
    await link.send(moved).catch(() => undefined); // whoever asked has left
    this.#parts.onGone(wish.to);
  }

  async #migrateToFile(link: FrameLink, path: string): Promise<void> {
    const filed = await this.#leave(link, (parts) => moveToFile(parts, path));
    await this.#parts.note("machine-moved-out", { to: path, machine: this.#machineId });
    await link.send(filed).catch(() => undefined); // whoever asked has left
  }

  async #leave<T>(link: FrameLink, go: (parts: MoveOutParts) => Promise<T>): Promise<T> {
    await this.#requireStill();
    const machine = await this.#machine.promise;
    this.#isMoving = true;
    let saidAt = 0;
    const onProgress = (bytes: number): void => {
      if (performance.now() - saidAt < progressMs) return;
      saidAt = performance.now();
      void link.send({ kind: "progress", bytes } satisfies MoveAnswer).catch(() => undefined);
    };
    const leaving: LeavingMachine = {
      canDepart: machine.canDepart,
      saveKey: () => machine.saveKey(),
      depart: async (options) => {
        const departure = await machine.depart(options);
        this.#standing = departure;
        return departure;
      },
      suspend: async (folder, options) => {
        const suspension = await machine.suspend(folder, options);
        this.#standing = suspension;
        return suspension;
      },
    };
    try {
      return await go({ ...this.#parts, machine: leaving, onProgress });
    } finally {
      this.#isMoving = false;
    }
  }

  async #requireStill(): Promise<void> {
    const { folder, record } = this.#parts;
    const { name } = record;
    if (this.#isMoving) {
      throw new LuminaGuardError("VM_STATE", `machine ${name} is being moved already`);
    }
    const journal = await readJournal(folder);
    if (journal?.role !== "sender" || journal.phase !== "given") return;
    throw new LuminaGuardError(
      "MIGRATION_IN_DOUBT",
      `machine ${name} may be at ${journal.to} already`,
      { hint: `luminaguard vm migrate ${name} --resolve --there  (or --here)  decides` },
    );
  }

  async #resolve(wish: ResolveRequest): Promise<MoveAnswer> {
    const { folder, note } = this.#parts;
    const journal = await readJournal(folder);
    if (journal === undefined) throw new LuminaGuardError("USAGE", "this machine was never moved");
    if (journal.role === "receiver") return this.#resolveHere(wish, journal.id);
    if (this.#isMoving) throw new LuminaGuardError("VM_STATE", "the move is still under way");
    const resolution = await resolveAtSender(this.#parts, journal, wish);
    const { phase, to } = resolution.journal;
    await note("machine-move-resolved", { to, phase, move: journal.id });
    if (phase === "stays") await this.#standing?.goOn();
    if (phase === "gone") this.#goneTo = to;
    return resolution.answer;
  }

  #goneTo: string | undefined;

  #endIfGone(): void {
    if (this.#goneTo !== undefined) this.#parts.onGone(this.#goneTo);
  }

  /** A person decides on the receiving side: with the sender's token, or by vouching that it is gone. */
  async #resolveHere(
    { where, token, otherIsGone }: ResolveRequest,
    id: string,
  ): Promise<MoveAnswer> {
    const moveIn = this.#requireMoveIn(id);
    if (where === "there") {
      const { proof } = await moveIn.take("decline");
      return { kind: "resolved", where, token: proof };
    }
    if (token === null && !otherIsGone) {
      throw notAsked(moveIn.journal.from);
    }
    await moveIn.take(token === null ? "other is gone" : { token });
    await this.#machine.promise;
    return { kind: "resolved", where, token: null };
  }

  #requireMoveIn(id: string): MoveIn {
    if (this.#moveIn?.journal.id === id) return this.#moveIn;
    throw new LuminaGuardError("MACHINE_NOT_FOUND", "that machine did not come here");
  }
}

/** What the sender can do about it. */
function explainMissing(error: unknown, image: string): unknown {
  if (!isLuminaGuardError(error, "IMAGE_NOT_FOUND")) return error;
  return new LuminaGuardError(
    "IMAGE_NOT_FOUND",
    `the other host does not have the very image that the machine was booted from (${image})`,
    { hint: "bring that image there first: it has to have the same digest", cause: error },
  );
}
