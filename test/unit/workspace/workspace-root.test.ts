import { symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { resolveWorkspaceRoot } from "../../../src/workspace/workspace-root.ts";
import { makeTempDir, makeTree } from "../../support/make-tree.ts";

describe("a workspace", () => {
  test("may be a folder below the home folder, and is its real path", async () => {
    using temp = makeTempDir();
    makeTree(temp.path, { "home/project/a": "", link: { link: "home/project" } });
    const home = join(temp.path, "home");
    expect(await resolveWorkspaceRoot(join(temp.path, "link"), { home })).toBe(
      join(home, "project"),
    );
  });

  test.each([
    ["/", "root of the file system"],
    ["home", "your home folder"],
    ["home/", "your home folder"],
    ["home/x/..", "your home folder"],
    ["homelink", "your home folder"],
    [".", "contains your home folder"],
    ["file", "not a folder"],
    ["nothing", "does not exist"],
    ["", "not a path"],
    ["a\0b", "not a path"],
    ["state/x", "overlaps"],
  ])("may not be %j", async (name, reason) => {
    using temp = makeTempDir();
    makeTree(temp.path, { "home/x/a": "", homelink: { link: "home" }, file: "", "state/x/y": "" });
    const folder = name === "" || name === "/" ? name : join(temp.path, name);
    const options = { home: join(temp.path, "home"), apart: [join(temp.path, "state")] };
    await expect(resolveWorkspaceRoot(folder, options)).rejects.toMatchObject({
      code: "WORKSPACE_REFUSED",
      message: expect.stringContaining(reason) as string,
      hint: expect.any(String) as string,
    });
  });

  test("may not be the home folder when that is itself behind a link", async () => {
    using temp = makeTempDir();
    makeTree(temp.path, { "real/x": "" });
    symlinkSync(join(temp.path, "real"), join(temp.path, "home"));
    const options = { home: join(temp.path, "home") };
    for (const name of ["real", "home"]) {
      await expect(resolveWorkspaceRoot(join(temp.path, name), options)).rejects.toThrow("home");
    }
    await expect(resolveWorkspaceRoot(dirname(temp.path), options)).rejects.toThrow("home");
  });
});
