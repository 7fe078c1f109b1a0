/**
 * The ear of `vm receive`: takes connections, looks at who is there, and leads each to the supervisor of the
 * machine it is about. It knows no machine itself, so that its end is a cut link and nothing worse.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import type tls from "node:tls";
import { LuminaGuardError } from "../../errors.ts";
import type { Kept } from "../../vm/kept/kept-store.ts";
import { findArrival } from "../../vm/migration/arrival.ts";
import { encodeMessage } from "../../vm/migration/frames.ts";
import { FrameLink } from "../../vm/migration/frame-link.ts";
import { stepReceiver } from "../../vm/migration/handover.ts";
import { readJournal, writeJournal } from "../../vm/migration/journal.ts";
import type { ReceiverJournal } from "../../vm/migration/journal.ts";
import { openHostKey } from "../../vm/migration/key-pair.ts";
import { senderSchema } from "../../vm/migration/messages.ts";
import type { Hello, SenderMessage } from "../../vm/migration/messages.ts";
import { listenForPeers, renderAddress } from "../../vm/migration/tls-peer.ts";
import type { Address } from "../../vm/migration/tls-peer.ts";
import type { KeptDesk } from "../kept/kept-desk.ts";
import { toPlainError } from "../kept/supervisor-protocol.ts";
import type { Arrivals } from "./arrivals.ts";
import { goOnHere } from "./go-on.ts";
import { readFirstMessage } from "./first-message.ts";

export interface ReceiveParts {
  readonly kept: KeptDesk;
  readonly stateDir: string;
  readonly arrivals: Arrivals;
}

export interface ReceiveWish {
  readonly address: Address;
  /** fingerprints of senders that are taken; none: whoever has the one-time code */
  readonly allow: readonly string[];
  /** what the machine is called here @default as there */
  readonly name?: string | undefined;
  readonly onEvent: (event: ReceiveEvent) => void;
}

export type ReceiveEvent =
  | {
      readonly kind: "arriving";
      readonly name: string;
      readonly from: string;
      readonly pin: string;
    }
  | { readonly kind: "arrived"; readonly name: string }
  | { readonly kind: "in doubt"; readonly name: string }
  | {
      readonly kind: "failed";
      readonly from: string;
      readonly pin: string;
      readonly reason: string;
    };

export interface Receiver extends Disposable {
  readonly address: Address;
  /** of this host's key */
  readonly fingerprint: string;
  /** a sender says it once; null: senders are known by their keys */
  readonly code: string | null;
}

const codeBytes = 16;

/** Raises HOST_LIMIT when it cannot listen there. */
export async function receiveMachines(parts: ReceiveParts, wish: ReceiveWish): Promise<Receiver> {
  await parts.arrivals.sweep();
  const own = await openHostKey(parts.stateDir);
  const code = wish.allow.length > 0 ? null : randomBytes(codeBytes).toString("hex");
  const ear = new Ear(parts, wish, code);
  const server = await listenForPeers(wish.address, own, (socket, pin) => {
    void ear.take(socket, pin);
  });
  const { fingerprint } = own;
  return { address: server.address, fingerprint, code, [Symbol.dispose]: server.close };
}

class Ear {
  readonly #parts: ReceiveParts;
  readonly #wish: ReceiveWish;
  readonly #code: string | null;
  /** who used the code: it is nobody else's then */
  #knownBy: string | undefined;

  constructor(parts: ReceiveParts, wish: ReceiveWish, code: string | null) {
    this.#parts = parts;
    this.#wish = wish;
    this.#code = code;
  }

  async take(socket: tls.TLSSocket, pin: string): Promise<void> {
    const host = socket.remoteAddress ?? "an unknown address";
    const from = renderAddress({ host, port: socket.remotePort ?? 0 });
    try {
      const said = await readFirstMessage(socket, senderSchema);
      await this.#answer(socket, said, { from, pin });
    } catch (error) {
      const plain = toPlainError(error);
      this.#wish.onEvent({ kind: "failed", from, pin, reason: plain.message });
      const link = new FrameLink(socket);
      await link.send({ ...plain, kind: "refused" }).catch(() => undefined);
      await link.end();
    }
  }

  async #answer(
    socket: Duplex,
    said: SenderMessage,
    peer: { readonly from: string; readonly pin: string },
  ): Promise<void> {
    if (said.kind === "hello") await this.#arrive(socket, said, peer);
    else if (said.kind === "commit" || said.kind === "withdraw") {
      await this.#askAgain(socket, said, peer.pin);
    } else throw new LuminaGuardError("WIRE_BROKEN", `the other host began with "${said.kind}"`);
  }

  async #arrive(
    socket: Duplex,
    hello: Hello,
    { from, pin }: { readonly from: string; readonly pin: string },
  ): Promise<void> {
    this.#requireKnown(hello.code, pin);
    const { arrivals } = this.#parts;
    const name = this.#wish.name ?? hello.machine.name;
    const kept = await arrivals.create(hello, { from, pin }, name);
    this.#knownBy = pin;
    this.#wish.onEvent({ kind: "arriving", name, from, pin });
    try {
      const supervisor = await arrivals.open(kept);
      supervisor.write(encodeMessage(hello));
      await join(socket, supervisor);
    } finally {
      await this.#tell(kept, { from, pin });
    }
  }

  /** One that did not come leaves no name behind. */
  async #tell(
    kept: Kept,
    { from, pin }: { readonly from: string; readonly pin: string },
  ): Promise<void> {
    const { name } = kept.record;
    const journal = await readJournal(kept.folder).catch(() => undefined);
    const phase = journal?.role === "receiver" ? journal.phase : "copying";
    if (phase === "taken") this.#wish.onEvent({ kind: "arrived", name });
    else if (phase === "ready") this.#wish.onEvent({ kind: "in doubt", name });
    else {
      const reason = await this.#parts.arrivals.drop(kept).catch(() => null);
      this.#wish.onEvent({ kind: "failed", from, pin, reason: reason ?? "it did not come" });
    }
  }

  #requireKnown(code: string | null, pin: string): void {
    const { allow } = this.#wish;
    if (allow.includes(pin)) return;
    const isUsed = this.#knownBy !== undefined && this.#knownBy !== pin;
    if (this.#code !== null && code !== null && !isUsed && isSame(code, this.#code)) return;
    throw new LuminaGuardError("PEER_UNTRUSTED", `the receiver does not take key ${pin}`, {
      hint: "give it the code that it prints (--code), or let it know this key (vm receive --allow)",
    });
  }

  /** A move that was cut off: the supervisor is asked, or what is left of it. */
  async #askAgain(
    socket: Duplex,
    said: Extract<SenderMessage, { kind: "commit" | "withdraw" }>,
    pin: string,
  ): Promise<void> {
    const found = await this.#findMove(said.id, pin);
    if (found === undefined) {
      throw new LuminaGuardError("MACHINE_NOT_FOUND", "this host knows nothing of that move", {
        hint: "--other-is-gone  decides without it",
      });
    }
    const { kept, journal } = found;
    if (kept.state === "running" || kept.state === "starting") {
      const supervisor = await this.#parts.arrivals.connect(kept);
      supervisor.write(encodeMessage(said));
      await join(socket, supervisor);
      return;
    }
    if (said.kind === "commit" && (await findArrival(kept.folder)) !== undefined) {
      await this.#goOnLost(socket, said.token, kept);
    } else await this.#declineLost(socket, said, kept, journal);
  }

  /** Its supervisor ended, and all of it is here. */
  async #goOnLost(socket: Duplex, token: string, kept: Kept): Promise<void> {
    const { machine } = await goOnHere(this.#parts.kept, kept, { token, otherIsGone: false });
    const link = new FrameLink(socket);
    await link.send({ kind: "arrived", machine });
    await link.end();
  }

  /** Its supervisor ended, and with it the machine as far as it had come. */
  async #declineLost(
    socket: Duplex,
    said: SenderMessage,
    kept: Kept,
    journal: ReceiverJournal,
  ): Promise<void> {
    await using _claim = await this.#parts.kept.store.claimRun(kept);
    const now = await readJournal(kept.folder); // a person may have decided meanwhile
    const { phase } = now?.role === "receiver" ? now : journal;
    if (said.kind === "commit" || phase === "taken") throw endedThere(kept);
    const next = stepReceiver(phase, "decline", journal.tokenHash);
    await writeJournal(kept.folder, { ...journal, phase: next });
    const link = new FrameLink(socket);
    await link.send({ kind: "declined", proof: journal.proof });
    await link.end();
  }

  async #findMove(
    id: string,
    pin: string,
  ): Promise<{ readonly kept: Kept; readonly journal: ReceiverJournal } | undefined> {
    for (const kept of await this.#parts.kept.list()) {
      const journal = await readJournal(kept.folder).catch(() => undefined);
      if (journal?.role !== "receiver" || journal.id !== id || journal.pin !== pin) continue;
      return { kept, journal };
    }
    return undefined;
  }
}

function endedThere({ reason }: Kept): LuminaGuardError {
  const why = `the machine came to the other host and ended there: ${reason ?? "unknown"}`;
  return new LuminaGuardError("VM_GONE", why, {
    hint: "--here --other-is-gone  lets it go on where it stands still",
  });
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Until either ends. */
async function join(one: Duplex, other: Duplex): Promise<void> {
  const ways = [pipeline(one, other), pipeline(other, one)];
  await Promise.allSettled(ways);
}
