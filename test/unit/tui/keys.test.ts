import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openKeyboard } from "../../../src/tui/keys.ts";

/** A terminal of a program's own (util-linux's `script`), and its name. */
async function openTerminal(): Promise<{ child: ChildProcessWithoutNullStreams; name: string }> {
  const child = spawn("script", ["-qfc", "tty; exec sleep 30", "/dev/null"]);
  const name = await new Promise<string>((resolve) => {
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const found = /\/dev\/\S+/.exec(said)?.[0];
      if (found !== undefined && said.includes("\n")) resolve(found);
    });
  });
  return { child, name };
}

describe("a keyboard", () => {
  it("is not there without a terminal", () => {
    expect(openKeyboard("/nowhere/tty")).toBeUndefined();
    expect(openKeyboard("/dev/null")).toBeUndefined();
  });

  it.runIf(existsSync("/usr/bin/script"))(
    "gives keys that came after the card was read, until the terminal goes away",
    async () => {
      const { child, name } = await openTerminal();
      const keyboard = openKeyboard(name);
      try {
        const early = keyboard?.next(200);
        child.stdin.write("a");
        expect(await early).toBeUndefined();
        await new Promise((resolve) => setTimeout(resolve, 400));
        const late = keyboard?.next(5_000);
        child.stdin.write("r");
        expect(await late).toEqual({ name: "r", text: "r" });
        const over = new AbortController();
        const aborted = keyboard?.next(60_000, { signal: over.signal });
        over.abort();
        expect(await aborted).toBeUndefined();
        expect(await keyboard?.next(60_000, { signal: over.signal })).toBeUndefined();
        const atEnd = keyboard?.next(60_000);
        child.kill("SIGKILL");
        expect(await atEnd).toBeUndefined();
        expect(await keyboard?.next(60_000)).toBeUndefined();
      } finally {
        child.kill("SIGKILL");
      }
    },
  );
});
