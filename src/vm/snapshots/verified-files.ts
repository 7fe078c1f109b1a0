/**
 * Which files were hashed since this host was started, and what they looked like then: a file that looks
 * the same is not hashed again. A write moves the change time, which no one can set back.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";

const schema = v.object({ boot: v.string(), looks: v.record(v.string(), v.string()) });

/** What the file looks like to the file system. */
export async function lookOf(path: string): Promise<string> {
  const { size, uid, mode, ctimeNs, ino } = await stat(path, { bigint: true });
  return [size, uid, mode, ctimeNs, ino].join(" ");
}

/** Whether every file looks as it did when it was hashed since the host was started. */
export async function wereVerified(
  recordPath: string,
  looks: Readonly<Record<string, string>>,
): Promise<boolean> {
  const boot = await readBootId();
  if (boot === undefined) return false;
  try {
    const record = v.parse(schema, JSON.parse(await readFile(recordPath, "utf8")));
    if (record.boot !== boot) return false;
    return Object.entries(looks).every(([name, look]) => record.looks[name] === look);
  } catch {
    return false; // nobody looked yet
  }
}

/** Best effort: without it they are hashed again. */
export async function noteVerified(
  recordPath: string,
  looks: Readonly<Record<string, string>>,
): Promise<void> {
  const boot = await readBootId();
  if (boot === undefined) return;
  await mkdir(dirname(recordPath), { recursive: true, mode: 0o700 }).catch(() => undefined);
  await writeFile(recordPath, JSON.stringify({ boot, looks }), { mode: 0o600 }).catch(() =>
    rm(recordPath, { force: true }),
  );
}

/** SHA-256 of a file, in hex. */
export async function hashFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) {
    hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}

/** A file may change while the host is down, and look the same. */
async function readBootId(): Promise<string | undefined> {
  return readFile("/proc/sys/kernel/random/boot_id", "utf8").then(
    (text) => text.trim(),
    () => undefined, // not Linux: hashed each time
  );
}
