/** The commands that need no machine, as a person types them, on folders of their own. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runProgram } from "../../../src/cli/program.ts";
import { makeExchange } from "../../support/exchange.ts";
import type { Exchange } from "../../support/exchange.ts";
import { createFakeIo } from "../../support/fake-io.ts";
import { makeImage } from "../image/make-image.ts";

let exchange: Exchange;
let id: string;
beforeEach(async () => {
  exchange = makeExchange({ "a.txt": "old\n" });
  const { set } = await exchange.run({ "a.txt": "new\n" });
  id = set?.id ?? "";
  vi.stubEnv("LUMINAGUARD_CONFIG", join(exchange.base, "config.json"));
  vi.stubEnv("LUMINAGUARD_STATE_DIR", exchange.stateDir);
  vi.stubEnv("LUMINAGUARD_CACHE_DIR", join(exchange.base, "cache"));
  vi.stubEnv("LUMINAGUARD_RUNTIME_DIR", join(exchange.base, "run"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  exchange[Symbol.dispose]();
});

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...argv: readonly string[]): Promise<Said> {
  const { io, stdout, stderr } = createFakeIo();
  const code = await runProgram(argv, io, "1.2.3");
  return { code, stdout: stdout(), stderr: stderr() };
}

describe("luminaguard changes", () => {
  it("lists what is kept, for people and for programs", async () => {
    const list = await run("changes", "ls");
    expect(list.code).toBe(0);
    expect(list.stdout).toMatch(
      new RegExp(`^${id} {2}\\d{4}-.* {2}1 file {2}${exchange.root} {2}test\\n$`),
    );
    const { stdout } = await run("changes", "ls", "--json");
    expect(JSON.parse(stdout)).toMatchObject([{ id, root: exchange.root, changes: 1 }]);
  });

  it("shows a card and its differences", async () => {
    const { code, stdout } = await run("changes", "show", id.toLowerCase());
    expect(code).toBe(0);
    expect(stdout).toContain("1 file changed");
    expect(stdout).toMatch(/^-old\n\+new$/m);
    const { stdout: json } = await run("changes", "show", id, "--json");
    expect(JSON.parse(json)).toMatchObject({ id, changes: [{ path: "a.txt" }] });
  });

  it("applies a set, and it is kept no more", async () => {
    expect((await run("changes", "apply", id, "--apply", "always")).code).toBe(0);
    expect(exchange.tree()).toEqual({ "a.txt": "new\n" });
    expect((await run("changes", "ls")).stderr).toBe("no change sets are kept\n");
  });

  it("throws a set away", async () => {
    expect((await run("changes", "rm", id)).code).toBe(0);
    expect(exchange.tree()).toEqual({ "a.txt": "old\n" });
    const again = await run("changes", "rm", id);
    expect(again.code).toBe(125);
    expect(again.stderr).toContain(id);
  });
});

describe("luminaguard image and cache", () => {
  it("list an image, forget it, and make room", async () => {
    const { digest } = await makeImage(join(exchange.base, "cache"), "tools");
    const list = await run("image", "ls");
    expect(list.stdout).toMatch(new RegExp(`^tools +${digest.slice(0, 19)} `));
    const { stdout: json } = await run("image", "ls", "--json");
    expect(JSON.parse(json)).toMatchObject([{ name: "tools", digest, packages: [] }]);
    expect((await run("cache", "ls")).stdout).toMatch(/^image .*\(tools\)$/m);
    expect(JSON.parse((await run("cache", "ls", "--json")).stdout)).toMatchObject([
      { kind: "image", names: ["tools"] },
    ]);
    expect((await run("image", "rm", "tools")).code).toBe(0);
    expect((await run("image", "ls")).stderr).toContain("no images yet");
    const pruned = await run("cache", "prune", "--max", "0", "--json");
    expect(JSON.parse(pruned.stdout)).toEqual({ removed: [], bytes: 0 });
    expect((await run("cache", "prune")).stderr).toMatch(/^removed 0, freed 0 B, 0 B left/);
  });

  it("say so when there is no such image", async () => {
    const { code, stderr } = await run("image", "rm", "nowhere");
    expect(code).toBe(125);
    expect(stderr).toContain("nowhere");
  });
});

describe("luminaguard config show", () => {
  it("has each value with where it comes from", async () => {
    vi.stubEnv("LUMINAGUARD_CPUS", "4");
    const { stdout } = await run("config", "show");
    expect(stdout).toMatch(/^cpus {14}4 {2}\(from LUMINAGUARD_CPUS\)$/m);
    expect(stdout).toMatch(/^memoryMib {9}512 {2}\(default\)$/m);
    const { stdout: json } = await run("config", "show", "--json");
    expect(JSON.parse(json)).toContainEqual({ key: "cpus", value: 4, origin: "LUMINAGUARD_CPUS" });
  });
});
