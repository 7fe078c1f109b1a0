import { describe, expect, it } from "vitest";
import type { LuminaGuard } from "../../../src/runtime/luminaguard.ts";
import type { ApplyChoice } from "../../../src/runtime/values.ts";
import { askAboutChanges } from "../../../src/tui/ask-about-changes.ts";
import type { Keyboard } from "../../../src/tui/keys.ts";
import { createStyle } from "../../../src/tui/style.ts";
import { makeChange, makeChangeSet } from "../../support/change-set.ts";

const set = makeChangeSet([
  makeChange("a.txt"),
  makeChange("b\u001b[2J.sh", { flags: ["runs in your CI"] }),
  makeChange("c.txt"),
]);

interface Asked {
  readonly answer: ApplyChoice | "rejected";
  readonly shown: string;
  /** how long each key was waited for */
  readonly waits: readonly number[];
}

/** Types these keys; when they are used up, the time is. */
async function type(...keys: readonly string[]): Promise<Asked> {
  const left = [...keys];
  const waits: number[] = [];
  const keyboard: Keyboard = {
    next: (timeoutMs) => {
      waits.push(timeoutMs);
      return Promise.resolve(left.shift());
    },
    close: () => undefined,
  };
  let shown = "";
  const screen = {
    stderr: { write: (text: string): unknown => (shown += text) },
    style: createStyle(false),
  };
  const lumina: Pick<LuminaGuard, "config" | "changes"> = {
    config: { approvalTimeoutS: 300 } as LuminaGuard["config"],
    changes: {
      diff: (_set: unknown, { path }: { path: string }) =>
        Promise.resolve([`--- ${path.slice(0, 1)}`, "+new", "-old"]),
    } as unknown as LuminaGuard["changes"],
  };
  const answer = await askAboutChanges(screen, lumina as LuminaGuard, set, keyboard);
  return { answer, shown, waits };
}

describe("asking about changes", () => {
  it("applies all on a", async () => {
    expect((await type("a")).answer).toEqual({ kind: "all" });
  });

  it.each([
    ["r", "r"],
    ["q", "q"],
    ["Ctrl-C", "\u0003"],
    ["Ctrl-D", "\u0004"],
  ])("writes nothing on %s", async (_name, key) => {
    expect((await type(key)).answer).toBe("rejected");
  });

  it("takes silence for a no, and says so", async () => {
    const { answer, shown } = await type();
    expect(answer).toBe("rejected");
    expect(shown).toContain("no answer: that is a no");
  });

  it("shows every difference on v, and asks again", async () => {
    const { answer, shown } = await type("v", "a");
    expect(answer).toEqual({ kind: "all" });
    expect(shown.match(/^ {2}--- [abc]$/gm)).toHaveLength(3);
    expect(shown.match(/\[v\] view/g)).toHaveLength(2);
  });

  it("explains the keys on ?", async () => {
    const { answer, shown } = await type("?", "r");
    expect(answer).toBe("rejected");
    for (const key of ["v", "a", "f", "r"])
      expect(shown).toMatch(new RegExp(`^ {2}${key} {2}`, "m"));
  });

  it.each(["x", "A", "aa", "\n", "\u001b[A", "a\n"])("asks again on %j", async (key) => {
    const { answer, shown } = await type(key, "r");
    expect(answer).toBe("rejected");
    expect(shown.match(/\[v\] view/g)).toHaveLength(2);
  });

  it("waits for all keys together no longer than a card waits", async () => {
    const { waits } = await type("v", "?", "r");
    expect(waits).toHaveLength(3);
    expect(Math.max(...waits)).toBeLessThanOrEqual(300_000);
    expect(waits[2]).toBeLessThanOrEqual(waits[0] ?? 0);
  });
});

describe("going file by file", () => {
  it("applies what was answered with y", async () => {
    const { answer } = await type("f", "y", "n", "y");
    expect(answer).toEqual({ kind: "paths", paths: ["a.txt", "c.txt"] });
  });

  it("applies a flagged file only when it was shown as such", async () => {
    const { answer, shown } = await type("f", "n", "y", "n");
    expect(answer).toEqual({ kind: "paths", paths: ["b\u001b[2J.sh"] });
    expect(shown).toContain("2/3  b\\x1b[2J.sh  ⚑ runs in your CI");
  });

  it("shows a difference on v, as often as it is asked", async () => {
    const { answer, shown } = await type("f", "v", "v", "y", "n", "n");
    expect(answer).toEqual({ kind: "paths", paths: ["a.txt"] });
    expect(shown.match(/--- a/g)).toHaveLength(2);
  });

  it("writes nothing when every answer was n", async () => {
    expect((await type("f", "n", "n", "n")).answer).toBe("rejected");
  });

  it.each(["q", "\u0003", "x"])("writes nothing at all when it is stopped with %j", async (key) => {
    expect((await type("f", "y", key)).answer).toBe("rejected");
  });

  it("writes nothing at all when the time is up in the middle", async () => {
    expect((await type("f", "y", "y")).answer).toBe("rejected");
  });
});
