/** Who may send a machine here, and speak about one that came: over real TLS, with keys made for it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { LuminaGuardError } from "../../../src/errors.ts";
import type { KeptDesk } from "../../../src/runtime/kept/kept-desk.ts";
import type { Arrivals } from "../../../src/runtime/migration/arrivals.ts";
import { receiveMachines } from "../../../src/runtime/migration/receive-machines.ts";
import type { Receiver } from "../../../src/runtime/migration/receive-machines.ts";
import { writeJournal } from "../../../src/vm/migration/journal.ts";
import type { Kept } from "../../../src/vm/kept/kept-store.ts";
import { FrameLink } from "../../../src/vm/migration/frame-link.ts";
import { openHostKey } from "../../../src/vm/migration/key-pair.ts";
import type { HostKey } from "../../../src/vm/migration/key-pair.ts";
import { receiverSchema } from "../../../src/vm/migration/messages.ts";
import type { Hello } from "../../../src/vm/migration/messages.ts";
import { dialPeer } from "../../../src/vm/migration/tls-peer.ts";

const hello: Omit<Hello, "code"> = {
  ...{ kind: "hello", version: 1, id: "1".repeat(32), form: "files", tokenHash: "3".repeat(64) },
  machine: {
    ...{ name: "work", memoryMib: 128, vcpus: 1, env: {}, workspace: null },
    ...{ checkpoint: "never", image: "base" },
  },
  key: { backend: "b", version: "1", cpu: "c", imageDigest: "d", arguments: "e" },
};

let folder: string;
let keys: readonly [HostKey, HostKey];
let receiver: Receiver | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lg-"));
  keys = [await openHostKey(join(folder, "one")), await openHostKey(join(folder, "other"))];
});
afterEach(() => receiver?.[Symbol.dispose]());
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Takes no machine: "it was let in" is what it says where it would. */
async function open(allow: readonly string[] = [], here: readonly Kept[] = []): Promise<Receiver> {
  const arrivals = {
    sweep: () => Promise.resolve(),
    create: () => Promise.resolve({ folder: join(folder, "none"), record: { name: "work" } }),
    open: () => Promise.reject(new LuminaGuardError("MACHINE_EXISTS", "it was let in")),
    drop: () => Promise.resolve(null),
  } as unknown as Arrivals;
  const kept = { list: () => Promise.resolve(here) } as unknown as KeptDesk;
  const address = { host: "127.0.0.1", port: 0 };
  receiver = await receiveMachines(
    { kept, stateDir: join(folder, "receiver"), arrivals },
    { address, allow, onEvent: () => undefined },
  );
  return receiver;
}

async function say(own: HostKey, message: unknown): Promise<string> {
  if (receiver === undefined) throw new Error("nobody listens");
  const link = new FrameLink(await dialPeer(receiver.address, receiver.fingerprint, own));
  try {
    await link.send(message);
    const said = await link.receive(receiverSchema, { timeoutMs: 5_000, what: "an answer" });
    return said.kind === "refused" ? said.code : said.kind;
  } finally {
    await link.end();
  }
}

describe("a host that receives machines", () => {
  it("says nothing to a sender that pinned another key", async () => {
    const { address, fingerprint } = await open();
    const other = dialPeer(address, keys[1].fingerprint, keys[0]);
    await expect(other).rejects.toMatchObject({ code: "PEER_UNTRUSTED" });
    const right = await dialPeer(address, fingerprint, keys[0]);
    right.destroy();
  });

  it("takes only whoever has the code, and then nobody else by it", async () => {
    const { code } = await open();
    expect(await say(keys[0], { ...hello, code: null })).toBe("PEER_UNTRUSTED");
    expect(await say(keys[0], { ...hello, code: "0".repeat(32) })).toBe("PEER_UNTRUSTED");
    expect(await say(keys[0], { ...hello, code: `${String(code)}0` })).toBe("PEER_UNTRUSTED");
    expect(await say(keys[0], { ...hello, code })).toBe("MACHINE_EXISTS");
    expect(await say(keys[1], { ...hello, code })).toBe("PEER_UNTRUSTED");
    expect(await say(keys[0], { ...hello, code })).toBe("MACHINE_EXISTS");
  });

  it("takes only the keys that it was told of, and has no code then", async () => {
    const { code } = await open([keys[0].fingerprint]);
    expect(code).toBe(null);
    expect(await say(keys[1], { ...hello, code: null })).toBe("PEER_UNTRUSTED");
    expect(await say(keys[0], { ...hello, code: null })).toBe("MACHINE_EXISTS");
  });

  it("answers about a machine that came only to the key that it came from", async () => {
    const { id, tokenHash } = hello;
    const record = { id: "m-000000", name: "work" };
    const kept = { folder, record, state: "failed", reason: "it ended" } as unknown as Kept;
    const proof = "4".repeat(64);
    const from = { from: "192.0.2.1:1", pin: keys[0].fingerprint };
    await writeJournal(folder, {
      ...{ version: 1, role: "receiver", id, phase: "taken", tokenHash, proof, ...from },
    });
    await open([], [kept]);
    const commit = { kind: "commit", id, token: "5".repeat(64) };
    expect(await say(keys[1], commit)).toBe("MACHINE_NOT_FOUND");
    expect(await say(keys[1], { kind: "withdraw", id })).toBe("MACHINE_NOT_FOUND");
    expect(await say(keys[0], { ...commit, id: "6".repeat(32) })).toBe("MACHINE_NOT_FOUND");
  });

  it.each(["no key of its own", "TLS 1.2"])("hangs up on whoever has %s", async (what) => {
    const { address, code } = await open();
    const [{ key, cert }] = keys;
    const own = what === "TLS 1.2" ? { key, cert, maxVersion: "TLSv1.2" as const } : {};
    const socket = tls.connect({ ...address, ...own, rejectUnauthorized: false });
    socket.on("error", () => undefined);
    const heard: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => heard.push(chunk));
    const link = new FrameLink(socket);
    void link.send({ ...hello, code }).catch(() => undefined);
    await new Promise((resolve) => socket.once("close", resolve));
    expect(heard).toEqual([]);
  });
});
