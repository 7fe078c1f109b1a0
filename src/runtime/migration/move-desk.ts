/** Machines that go to other hosts and come from them, as whoever asks for it sees them. */
import { packageRoot } from "../../base/package-root.ts";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import type { Config } from "../../config/config.ts";
import { LuminaGuardError } from "../../errors.ts";
import { startDaemon } from "../../process/start-daemon.ts";
import type { Kept } from "../../vm/kept/kept-store.ts";
import { findArrival } from "../../vm/migration/arrival.ts";
import { readJournal } from "../../vm/migration/journal.ts";
import { parseAddress } from "../../vm/migration/tls-peer.ts";
import type { KeptDesk } from "../kept/kept-desk.ts";
import { fromPlainError, launchName, startLineSchema } from "../kept/supervisor-protocol.ts";
import type { Launch } from "../kept/supervisor-protocol.ts";
import type { MoveWish } from "./move-out.ts";
import { moveSocketPath } from "../../vm/kept/socket-paths.ts";
import { answerSchema, openMoveLink } from "./move-words.ts";
import type {
  Filed,
  Moved,
  MoveAnswer,
  MoveRequest,
  Resolved,
  ResolveRequest,
} from "./move-words.ts";
import { Arrivals } from "./arrivals.ts";
import { goOnHere } from "./go-on.ts";
import { receiveFile } from "./receive-file.ts";
import type { FileWish } from "./receive-file.ts";
import { receiveMachines } from "./receive-machines.ts";
import type { Receiver, ReceiveWish } from "./receive-machines.ts";
import { resolveAtSender } from "./resolve-sender.ts";

export interface MoveDeskParts {
  readonly config: Config;
  readonly toolEnvironment: Readonly<Record<string, string>>;
  readonly kept: KeptDesk;
}

interface MoveOptions {
  readonly onProgress?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const program = fileURLToPath(new URL("dist/program/hold-machine.js", packageRoot));
const startTimeoutMs = 30_000;
/** between two words of a supervisor that moves a machine, in `ms` */
const silenceMs = 5 * 60_000;

export class MoveDesk {
  readonly #parts: MoveDeskParts;

  constructor(parts: MoveDeskParts) {
    this.#parts = parts;
  }

  /**
   * Saves a running machine into a new file, where it waits to be taken; it stands still here until a person
   * says which of the two goes on. Raises what `moveToFile` raises.
   * @param path absolute
   */
  async migrateToFile(kept: Kept, path: string, options: MoveOptions = {}): Promise<Filed> {
    const answer = await this.#ask(kept, { kind: "migrate to file", path }, options);
    if (answer.kind === "filed") return answer;
    throw new Error("a move into a file ends with the file");
  }

  /**
   * Sends a running machine to another host. The supervisor does it: leaving does not end it. Raises what
   * `moveOut` raises.
   */
  async migrate(kept: Kept, wish: MoveWish, options: MoveOptions = {}): Promise<Moved> {
    parseAddress(wish.to);
    if (!/^[0-9a-f]{64}$/.test(wish.pin)) {
      throw new LuminaGuardError("USAGE", `"${wish.pin}" is no fingerprint`, {
        hint: "use the 64 hex digits that luminaguard vm receive prints there",
      });
    }
    const answer = await this.#ask(kept, { kind: "migrate", ...wish }, options);
    if (answer.kind === "moved") return answer;
    throw new Error("a move ends with where the machine is");
  }

  /** Decides a move that was cut off at its end, on either side. Raises MIGRATION_IN_DOUBT. */
  async resolve(
    kept: Kept,
    wish: Omit<ResolveRequest, "kind">,
    options: MoveOptions = {},
  ): Promise<Resolved> {
    const request: ResolveRequest = { kind: "resolve", ...wish };
    if (kept.state === "running" || kept.state === "starting") {
      const answer = await this.#ask(kept, request, options);
      if (answer.kind === "resolved") return answer;
      throw new Error("a decision ends with where the machine is");
    }
    return this.#resolveLost(kept, request, options);
  }

  /** Takes machines from other hosts until it is disposed of. */
  receive(wish: ReceiveWish): Promise<Receiver> {
    const { kept, config } = this.#parts;
    const { stateDir } = config;
    return receiveMachines({ kept, stateDir, arrivals: this.#arrivals() }, wish);
  }

  /** Takes the machine out of a file, and gives its name; it runs here then. Raises what `receiveFile` raises. */
  receiveFile(wish: FileWish): Promise<string> {
    const { stateDir } = this.#parts.config;
    const letGo = (moveId: string): Promise<void> => this.#letGo(moveId);
    return receiveFile({ arrivals: this.#arrivals(), stateDir, letGo }, wish);
  }

  #arrivals(): Arrivals {
    const { kept, config } = this.#parts;
    const { stateDir, runtimeDir } = config;
    const startSupervisor = (made: Kept): Promise<void> => this.#startSupervisor(made);
    return new Arrivals({ kept, stateDir, runtimeDir, startSupervisor });
  }

  /** The machine that was sent into a file which was taken here has no more to wait for. */
  async #letGo(moveId: string): Promise<void> {
    for (const kept of await this.#parts.kept.list()) {
      const journal = await readJournal(kept.folder).catch(() => undefined);
      if (journal?.role !== "sender" || journal.id !== moveId) continue;
      // best effort: it stands still whatever comes of this, and can be told again
      await this.resolve(kept, { where: "there", token: null, otherIsGone: false }).catch(
        () => undefined,
      );
    }
  }

  /** Its supervisor was killed, and what was here of the machine with it. */
  async #resolveLost(
    kept: Kept,
    request: ResolveRequest,
    { signal }: MoveOptions,
  ): Promise<Resolved> {
    const journal = await readJournal(kept.folder);
    const isSender = journal?.role === "sender" && journal.phase === "given";
    if (isSender && request.where === "there") {
      await using _claim = await this.#parts.kept.store.claimRun(kept);
      const { stateDir } = this.#parts.config;
      const parts = { folder: kept.folder, record: kept.record, stateDir, signal };
      return (await resolveAtSender(parts, journal, request)).answer;
    }
    if (journal?.role === "receiver" && request.where === "here") {
      if ((await findArrival(kept.folder)) !== undefined) {
        await goOnHere(this.#parts.kept, kept, request);
        return { kind: "resolved", where: "here", token: null };
      }
    }
    const toFile = isSender && journal.pin === null;
    throw new LuminaGuardError("VM_GONE", `machine ${kept.record.name} is not here any more`, {
      hint: isSender
        ? `luminaguard vm migrate ${kept.record.name} --resolve --there  lets it go on ${toFile ? "from the file" : "there"}`
        : "resolve it on the other side",
    });
  }

  async #ask(
    { record }: Kept,
    request: MoveRequest,
    { onProgress, signal }: MoveOptions,
  ): Promise<MoveAnswer> {
    const link = await openMoveLink(moveSocketPath(this.#parts.config.runtimeDir, record.id));
    try {
      await link.send(request);
      for (;;) {
        const options = { timeoutMs: silenceMs, what: "the supervisor's answer", signal };
        const answer = await link.receive(answerSchema, options);
        if (answer.kind === "failed") throw fromPlainError(answer);
        if (answer.kind !== "progress") return answer;
        onProgress?.(answer.bytes);
      }
    } finally {
      await link.end();
    }
  }

  async #startSupervisor({ folder }: Kept): Promise<void> {
    const { config, toolEnvironment } = this.#parts;
    const launch: Launch = { config, toolEnvironment, snapshot: null, isArriving: true };
    await writeFile(join(folder, launchName), JSON.stringify(launch), { mode: 0o600 });
    let failure: Error | undefined;
    await startDaemon([program, folder], {
      onLine: (line) => {
        const said = v.safeParse(startLineSchema, parseJson(line));
        if (said.success && said.output.kind === "failed") {
          failure = fromPlainError(said.output.error);
        }
        return said.success && said.output.kind !== "phase";
      },
      timeoutMs: startTimeoutMs,
      logPath: join(folder, "supervisor.log"),
      env: toolEnvironment,
    });
    if (failure !== undefined) throw failure;
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
