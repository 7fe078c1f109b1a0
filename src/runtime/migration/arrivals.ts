/** Machines on their way here, as whoever opens the door to them sees them: a name, a supervisor, and what is left of those that did not come. */
import type net from "node:net";
import { isLuminaGuardError } from "../../errors.ts";
import type { Kept } from "../../vm/kept/kept-store.ts";
import { moveSocketPath } from "../../vm/kept/socket-paths.ts";
import { readClaim } from "../../vm/migration/claims.ts";
import { encodeMessage } from "../../vm/migration/frames.ts";
import { makeSecret } from "../../vm/migration/handover.ts";
import { readJournal, writeJournal } from "../../vm/migration/journal.ts";
import type { ReceiverJournal } from "../../vm/migration/journal.ts";
import type { Hello } from "../../vm/migration/messages.ts";
import type { KeptDesk } from "../kept/kept-desk.ts";
import { connectSupervisor } from "./move-words.ts";

export interface ArrivalsParts {
  readonly kept: KeptDesk;
  readonly stateDir: string;
  readonly runtimeDir: string;
  /** starts the supervisor of a machine that is to come, and resolves when it listens */
  readonly startSupervisor: (kept: Kept) => Promise<void>;
}

/** Where a machine comes from: a host and its key, or a file. */
export type Origin = Pick<ReceiverJournal, "from" | "pin">;

export class Arrivals {
  readonly #parts: ArrivalsParts;

  constructor(parts: ArrivalsParts) {
    this.#parts = parts;
  }

  /** Takes the name, and writes down that it is one on its way. Raises MACHINE_EXISTS. */
  async create(
    { id, tokenHash, machine }: Hello,
    { from, pin }: Origin,
    name: string,
  ): Promise<Kept> {
    const { store } = this.#parts.kept;
    const kept = await store.create({ ...machine, name, parent: null });
    const proof = makeSecret().secret;
    await writeJournal(kept.folder, {
      ...{ version: 1, role: "receiver", id, phase: "copying", from, pin, tokenHash, proof },
    });
    return kept;
  }

  /** A supervisor that waits for what the sender says, its greeting first. */
  async open(kept: Kept): Promise<net.Socket> {
    await this.#parts.startSupervisor(kept);
    const socket = await this.connect(kept);
    socket.write(encodeMessage({ kind: "arrive" }));
    return socket;
  }

  connect({ record }: Kept): Promise<net.Socket> {
    return connectSupervisor(moveSocketPath(this.#parts.runtimeDir, record.id));
  }

  /** Ends one that did not come, and leaves no name behind. Gives why, where that is known. */
  async drop({ record: { name } }: Kept): Promise<string | null> {
    const { kept: desk } = this.#parts;
    try {
      await desk.stop(await desk.find(name));
      const now = await desk.find(name);
      await desk.store.remove(now);
      return now.reason;
    } catch (error) {
      if (isLuminaGuardError(error, "MACHINE_NOT_FOUND")) return null; // somebody was first
      throw error;
    }
  }

  /** Takes away what never came: its supervisor was killed, or whoever opened the door. */
  async sweep(): Promise<void> {
    for (const kept of await this.#parts.kept.list()) {
      if (kept.state === "running" || kept.state === "starting") continue;
      const journal = await readJournal(kept.folder).catch(() => undefined);
      if (journal?.role === "receiver" && (await this.#neverCame(journal))) {
        await this.#parts.kept.store.remove(kept).catch(() => undefined); // another was first
      }
    }
  }

  /** One that is in a file can be taken out of it again for as long as it was not. */
  async #neverCame({ phase, pin, id }: ReceiverJournal): Promise<boolean> {
    if (phase === "copying") return true;
    if (phase !== "ready" || pin !== null) return false;
    return (await readClaim(this.#parts.stateDir, id)) === undefined;
  }
}
