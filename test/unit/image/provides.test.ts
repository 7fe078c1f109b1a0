import { describe, expect, test } from "vitest";
import { packagesProviding, renderProvidingCommand } from "../../../src/image/provides.ts";

/** no apt, no dpkg: only what we know ourselves */
const nothing = { env: { PATH: "/nonexistent" } };

describe("packagesProviding", () => {
  test.each([
    ["python3", ["python3-minimal"]],
    ["node", ["nodejs"]],
    ["gcc", ["gcc", "libc6-dev"]],
    ["curl", ["curl", "ca-certificates"]],
    ["rg", ["ripgrep"]],
  ])("knows %s", async (command, packages) => {
    expect(await packagesProviding(command, nothing)).toEqual(packages);
  });

  test.each(["surely-no-such-command", "", "../x", "-rf", "a b"])(
    "gives nothing for %j",
    async (command) => {
      expect(await packagesProviding(command, nothing)).toEqual([]);
    },
  );

  test("stops when its caller does", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(packagesProviding("surely-no-such-command", { signal })).rejects.toThrow("enough");
  });
});

describe("renderProvidingCommand", () => {
  test("names a new image after the package where the machine ran the base", () => {
    const image = { name: "base", manifest: { kind: "base", requested: [] } } as const;
    expect(renderProvidingCommand(image, ["python3-minimal"])).toBe(
      "luminaguard image build python3 --packages python3-minimal",
    );
    expect(renderProvidingCommand(image, ["g++", "libc6-dev"])).toBe(
      "luminaguard image build gpp --packages g++,libc6-dev",
    );
  });

  test("keeps the image's name and packages where it has some", () => {
    const image = { name: "web", manifest: { kind: "packages", requested: ["git"] } } as const;
    expect(renderProvidingCommand(image, ["curl", "git"])).toBe(
      "luminaguard image build web --packages git,curl",
    );
  });
});
