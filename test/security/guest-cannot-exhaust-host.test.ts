/** What a guest sends without end costs the host neither memory nor disk: it waits for its reader. */
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCliHome, sees } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { peakResidentBytes } from "../support/host-process.ts";

/** a run that prints nothing takes about 60 MB, one that prints fast 110 */
const residentBytesMax = 170 * 1024 ** 2;
const mebibyte = 1024 ** 2;

let home: CliHome;
beforeAll(async () => {
  home = await createCliHome();
});
afterAll(() => home[Symbol.asyncDispose]());

describe("a guest that floods", () => {
  it("stdout with 512 MB passes through in flat memory, byte for byte counted", async () => {
    const child = home.start([
      "run",
      "--no-workspace",
      "--",
      "dd",
      "if=/dev/zero",
      "bs=1M",
      "count=512",
    ]);
    let bytes = 0;
    child.stdout.on("data", (chunk: Buffer) => (bytes += chunk.length));
    child.stderr.resume();
    child.stdin.end();
    const peak = await peakResidentBytes(child.pid ?? 0, once(child, "close"));
    expect(bytes).toBe(512 * mebibyte);
    expect(child.exitCode).toBe(0);
    expect(peak).toBeLessThan(residentBytesMax);
  });

  it("stdout and is asked for JSON is cut at 16 MiB a stream, and counted", async () => {
    const child = home.start([
      "run",
      "--json",
      "--no-workspace",
      "--",
      "dd",
      "if=/dev/zero",
      "bs=1M",
      "count=128",
    ]);
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stdin.end();
    const peak = await peakResidentBytes(child.pid ?? 0, once(child, "close"));
    const document = JSON.parse(Buffer.concat(chunks).toString("utf8")) as {
      outputCutBytes: number;
    };
    expect(document.outputCutBytes).toBe((128 - 16) * mebibyte);
    // each zero byte is six characters in JSON, and the document is made as one text
    expect(peak).toBeLessThan(3 * residentBytesMax);
  });

  it("stdout and has no reader waits, and its host stays flat", async () => {
    const child = home.start([
      "run",
      "--no-workspace",
      "--",
      "sh",
      "-c",
      "echo ready >&2; exec dd if=/dev/zero bs=1M",
    ]);
    await sees(child, "ready");
    const passed = new Promise((resolve) => setTimeout(resolve, 3_000));
    const peak = await peakResidentBytes(child.pid ?? 0, passed);
    child.kill("SIGTERM");
    await once(child, "exit");
    child.stdout.destroy();
    expect(peak).toBeLessThan(residentBytesMax);
  });
});

describe("a guest that never reads", () => {
  it("its stdin is sent no more than it has room for", async () => {
    const child = home.start(["run", "--no-workspace", "--timeout", "4", "--", "sleep", "60"]);
    child.stdin.on("error", () => undefined);
    const given = 64 * mebibyte;
    child.stdin.write(Buffer.alloc(given));
    let taken = 0;
    const timer = setInterval(() => {
      if (!child.stdin.destroyed) taken = given - child.stdin.writableLength;
    }, 20);
    child.stderr.resume();
    child.stdout.resume();
    const peak = await peakResidentBytes(child.pid ?? 0, once(child, "close"));
    clearInterval(timer);
    expect(child.exitCode).toBe(124);
    expect(taken).toBeLessThan(16 * mebibyte);
    expect(peak).toBeLessThan(residentBytesMax);
  });
});
