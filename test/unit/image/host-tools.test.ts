import { describe, expect, test } from "vitest";
import { createHostTools, explainDisk } from "../../../src/image/host-tools.ts";

describe("host tools", () => {
  test.each([
    ["xz", "sudo apt-get install --no-install-recommends xz-utils"],
    [
      "dpkg-deb",
      expect.stringContaining("scp -rp DEBIAN-HOST:.cache/luminaguard/images CACHE/") as string,
    ],
  ])("say what brings %s where it is missing", async (program, hint) => {
    const tools = createHostTools({ env: { PATH: "/nonexistent" } });
    await expect(tools.run(program, [])).rejects.toMatchObject({ code: "TOOL_MISSING", hint });
    await expect(tools.stream(program, []).done).rejects.toMatchObject({
      code: "TOOL_MISSING",
      hint,
    });
  });
});

describe("explainDisk", () => {
  test.each(["ENOSPC", "EROFS", "EACCES", "EDQUOT"])("turns %s into HOST_LIMIT", (code) => {
    const cause = Object.assign(new Error(code), { code });
    expect(explainDisk(cause, "/cache")).toMatchObject({ code: "HOST_LIMIT", cause });
  });

  test("leaves other errors as they are", () => {
    const error = Object.assign(new Error("x"), { code: "ENOENT" });
    expect(explainDisk(error, "/cache")).toBe(error);
    expect(explainDisk("x", "/cache")).toBe("x");
  });
});
