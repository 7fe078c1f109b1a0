import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSession } from "../../../src/wire/connection.ts";
import { wirePathIn } from "../../support/wire-path.ts";

test("a session that is given up while it connects ends in silence", async () => {
  const folder = await mkdtemp(join(tmpdir(), "wire-"));
  const path = wirePathIn(folder);
  const server = net.createServer().listen(path);
  await once(server, "listening");
  const failures: unknown[] = [];
  const onFailure = (error: unknown): void => void failures.push(error);
  process.on("uncaughtException", onFailure);
  try {
    const connected = once(server, "connection");
    openSession(path).destroy();
    await connected;
    await new Promise((resolve) => setImmediate(resolve));
    expect(failures).toEqual([]);
  } finally {
    process.off("uncaughtException", onFailure);
    server.close();
    await rm(folder, { recursive: true });
  }
});
