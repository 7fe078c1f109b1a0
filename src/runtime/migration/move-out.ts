/**
 * A machine's way from here, as its supervisor goes it. Until the machine is given up it goes on here
 * whatever fails; from then on it stands still until the other side says that it has it, or a person decides.
 */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { LuminaGuardError, isLuminaGuardError } from "../../errors.ts";
import type { SaveKey } from "../../vm/hypervisor.ts";
import type { KeptRecord } from "../../vm/kept/kept-record.ts";
import { FrameLink } from "../../vm/migration/frame-link.ts";
import { makeSecret, stepSender } from "../../vm/migration/handover.ts";
import { forgetJournal, writeJournal } from "../../vm/migration/journal.ts";
import type { SenderJournal } from "../../vm/migration/journal.ts";
import { openHostKey } from "../../vm/migration/key-pair.ts";
import { receiverSchema } from "../../vm/migration/messages.ts";
import type { Hello, ReceiverMessage } from "../../vm/migration/messages.ts";
import { dialPeer, parseAddress } from "../../vm/migration/tls-peer.ts";
import { baselineName } from "../kept/kept-workspace.ts";
import { fromPlainError } from "../kept/supervisor-protocol.ts";
import { shipFiles, shipStream } from "./ship.ts";
import type { ShipParts, Standing } from "./ship.ts";
import type { Moved } from "./move-words.ts";

export interface MoveOutParts extends ShipParts {
  /** the machine's own */
  readonly folder: string;
  readonly record: KeptRecord;
  readonly stateDir: string;
}

export interface MoveWish {
  /** HOST:PORT */
  readonly to: string;
  /** fingerprint of the receiver's key */
  readonly pin: string;
  /** the receiver's one-time code; null: it knows this host's key */
  readonly code: string | null;
}

/** the other side looks for room and starts a hypervisor, in `ms` */
const acceptTimeoutMs = 120_000;
/** the other side loads the last part, in `ms` */
const readyTimeoutMs = 60_000;
/** the other side writes a line and lets the machine go on, in `ms` */
const runningTimeoutMs = 15_000;
/** the other side restores what was saved, in `ms` */
const restoredTimeoutMs = 60_000;
/** the machine is greeted there, in `ms` */
const arrivedTimeoutMs = 60_000;

/**
 * Resolves when the machine is the other side's. Raises PEER_UNTRUSTED, MIGRATION_FAILED and what the
 * other side refuses with, the machine going on here; or MIGRATION_IN_DOUBT, the machine standing still.
 */
export async function moveOut(parts: MoveOutParts, wish: MoveWish): Promise<Moved> {
  const startedAt = performance.now();
  const own = await openHostKey(parts.stateDir);
  const form = parts.machine.canDepart ? "stream" : "files";
  const { hello, journal: begun } = await beginMove(parts, { ...wish, form });
  const socket = await dialPeer(parseAddress(wish.to), wish.pin, own, parts.signal);
  const link = new FrameLink(socket);
  let standing: Standing | undefined;
  let journal = begun;
  try {
    await link.send(hello);
    const accepted = await hear(link, "accepted", acceptTimeoutMs, parts.signal);
    journal = { ...journal, proofHash: accepted.proofHash };
    await writeJournal(parts.folder, journal);
    await link.send({ kind: "baseline", baseline: await readBaselineText(parts.folder) });
    const ship = hello.form === "stream" ? shipStream : shipFiles;
    const { bytes, stoppedAt } = await ship(link, parts, (now) => (standing = now));
    await link.send({ kind: "end", bytes });
    await hear(link, "ready", readyTimeoutMs);
    journal = { ...journal, phase: stepSender(journal.phase, "give", journal.proofHash) };
    await writeJournal(parts.folder, journal);
    await link.send({ kind: "commit", id: journal.id, token: journal.token });
    await hear(link, "running", hello.form === "stream" ? runningTimeoutMs : restoredTimeoutMs);
    const pauseMs = performance.now() - stoppedAt;
    await hear(link, "arrived", arrivedTimeoutMs);
    journal = { ...journal, phase: stepSender(journal.phase, "it arrived", journal.proofHash) };
    await writeJournal(parts.folder, journal);
    const durationMs = performance.now() - startedAt;
    return { kind: "moved", to: wish.to, bytes, pauseMs, durationMs };
  } catch (error) {
    if (journal.phase === "copying") throw await breakOff(parts.folder, standing, error);
    throw inDoubt(parts.record.name, error);
  } finally {
    await link.end();
  }
}

export async function beginMove(
  { machine, record }: Pick<MoveOutParts, "machine" | "record">,
  { to, pin, code, form }: Pick<SenderJournal, "to" | "pin"> & Pick<Hello, "code" | "form">,
): Promise<{ readonly hello: Hello; readonly journal: SenderJournal }> {
  const key = await machine.saveKey();
  const { secret: token, hash: tokenHash } = makeSecret();
  const id = randomBytes(16).toString("hex");
  return {
    hello: makeHello(record, key, { id, code, tokenHash, form }),
    journal: {
      ...{ version: 1, role: "sender", id, phase: "copying", to, pin, token, proofHash: null },
      since: new Date().toISOString(),
    },
  };
}

export function makeHello(
  { name, image, memoryMib, vcpus, env, workspace, checkpoint }: KeptRecord,
  key: SaveKey,
  move: Pick<Hello, "id" | "code" | "tokenHash" | "form">,
): Hello {
  const machine = { name, image, memoryMib, vcpus, env, workspace, checkpoint };
  return { kind: "hello", version: 1, ...move, machine, key };
}

/** The next word, which has to be of this kind. Raises what the other side refuses with. */
export async function hear<Kind extends ReceiverMessage["kind"]>(
  link: FrameLink,
  kind: Kind,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Extract<ReceiverMessage, { kind: Kind }>> {
  const what = `word "${kind}"`;
  const message = await link.receive(receiverSchema, { timeoutMs, what, signal });
  if (message.kind === "refused") throw fromPlainError(message);
  if (message.kind === kind) return message as Extract<ReceiverMessage, { kind: Kind }>;
  throw new LuminaGuardError("WIRE_BROKEN", `the other host said "${message.kind}" for "${kind}"`);
}

/** What was sent into the machine's workspace; null: nothing. */
export async function readBaselineText(folder: string): Promise<unknown> {
  const text = await readFile(join(folder, baselineName), "utf8").catch(() => "null");
  return JSON.parse(text) as unknown;
}

/** The machine goes on here. Gives what to say of it. */
export async function breakOff(
  folder: string,
  standing: Standing | undefined,
  cause: unknown,
): Promise<unknown> {
  await standing?.goOn();
  await forgetJournal(folder);
  const isPlain = ["WIRE_BROKEN", "TIMEOUT", "PROCESS_FAILED"].some(
    (code) => isLuminaGuardError(cause) && cause.code === code,
  );
  if (isLuminaGuardError(cause) && !isPlain) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new LuminaGuardError("MIGRATION_FAILED", `the move was broken off: ${why}`, {
    hint: "the machine goes on here; try again",
    cause,
  });
}

export function inDoubt(name: string, cause: unknown): LuminaGuardError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new LuminaGuardError(
    "MIGRATION_IN_DOUBT",
    `the other host did not say that it has machine ${name}, which stands still here: ${why}`,
    {
      hint: `luminaguard vm migrate ${name} --resolve --there  (or --here)  asks it again, and decides`,
      cause,
    },
  );
}
