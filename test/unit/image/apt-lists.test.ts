import { existsSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LuminaGuardError } from "../../../src/errors.ts";
import { refreshLists } from "../../../src/image/apt-lists.ts";
import type { HostTools } from "../../../src/image/host-tools.ts";
import { makeTempDir } from "../../support/make-tree.ts";

/** An apt-get that fetches nothing, or cannot; each call is kept. */
function createTools(failure?: LuminaGuardError): HostTools & { readonly calls: string[][] } {
  const calls: string[][] = [];
  return {
    calls,
    run: (file, args) => {
      calls.push([file, ...args]);
      if (failure !== undefined) return Promise.reject(failure);
      return Promise.resolve({ exitCode: 0, stdout: Buffer.alloc(0), stderr: "" });
    },
    stream: () => {
      throw new Error("nothing is streamed");
    },
  };
}

const offline = new LuminaGuardError("PROCESS_FAILED", "no network");
const dayMs = 24 * 3600 * 1000;
const age = (folder: string, ageMs: number): void => {
  const at = new Date(Date.now() - ageMs);
  utimesSync(join(folder, "fetched"), at, at);
};

describe("package lists of another architecture", () => {
  it("are fetched once a day, by apt with the settings of the build", async () => {
    using temp = makeTempDir();
    const tools = createTools();
    const folder = join(temp.path, "lists");
    await refreshLists(tools, folder, "arm64", ["-o", "Dir=x"]);
    await refreshLists(tools, folder, "arm64", ["-o", "Dir=x"]);
    expect(tools.calls).toHaveLength(1);
    expect(tools.calls[0]).toEqual(expect.arrayContaining(["apt-get", "Dir=x", "update"]));
    age(folder, dayMs + 1000);
    await refreshLists(tools, folder, "arm64", []);
    expect(tools.calls).toHaveLength(2);
  });

  it("that are old are used where there is no network", async () => {
    using temp = makeTempDir();
    await refreshLists(createTools(), temp.path, "arm64", []);
    age(temp.path, 9 * dayMs);
    await refreshLists(createTools(offline), temp.path, "arm64", []);
  });

  it("that were never fetched cannot be done without", async () => {
    using temp = makeTempDir();
    const refreshing = refreshLists(createTools(offline), temp.path, "arm64", []);
    await expect(refreshing).rejects.toMatchObject({
      code: "IMAGE_BUILD_FAILED",
      hint: expect.stringContaining("network") as unknown,
    });
    expect(existsSync(join(temp.path, "fetched"))).toBe(false);
  });

  it("say what is missing where there is no apt", async () => {
    using temp = makeTempDir();
    const missing = new LuminaGuardError("TOOL_MISSING", "no apt-get");
    await expect(refreshLists(createTools(missing), temp.path, "arm64", [])).rejects.toBe(missing);
  });
});
