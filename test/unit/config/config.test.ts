import { chmodSync, writeFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../../src/config/config.ts";
import type { LoadedConfig } from "../../../src/config/config.ts";
import { loadIoSettings, loadVariable } from "../../../src/config/io-settings.ts";
import { makeTempDir } from "../../support/make-tree.ts";

/** Loads with this file and these variables. */
function load(file: unknown, environment: Record<string, string> = {}): LoadedConfig {
  using temp = makeTempDir();
  const path = join(temp.path, "config.json");
  if (file !== undefined) {
    writeFileSync(path, typeof file === "string" ? file : JSON.stringify(file));
  }
  return loadConfig({ HOME: "/home/ada", LUMINAGUARD_CONFIG: path, ...environment });
}

function entryOf({ entries }: LoadedConfig, key: string): unknown {
  return entries.find((entry) => entry.key === key);
}

describe("the configuration", () => {
  it("takes the environment before the file before the default, and keeps which it was", () => {
    const file = { memoryMib: 256, cpus: 2 };
    const loaded = load(file, { LUMINAGUARD_MEMORY_MIB: "1024" });
    expect(loaded.config).toMatchObject({ memoryMib: 1024, cpus: 2, approvalTimeoutS: 300 });
    expect(entryOf(loaded, "memoryMib")).toMatchObject({ origin: "LUMINAGUARD_MEMORY_MIB" });
    expect(entryOf(loaded, "cpus")).toMatchObject({
      value: 2,
      origin: expect.stringContaining("config.json") as unknown,
    });
    expect(entryOf(loaded, "approvalTimeoutS")).toMatchObject({ origin: "default" });
  });

  it("is frozen", () => {
    expect(Object.isFrozen(load({}).config)).toBe(true);
  });

  it("takes an empty variable for one that is not set", () => {
    const loaded = load({ cpus: 2 }, { LUMINAGUARD_CPUS: "", LUMINAGUARD_IMAGE: "" });
    expect(loaded.config).toMatchObject({ cpus: 2, image: "base" });
    const { config } = loadConfig({ HOME: "", LUMINAGUARD_CONFIG: "", PATH: "" });
    expect(isAbsolute(config.homeDir) && isAbsolute(config.cacheDir)).toBe(true);
    expect(config.searchPath).toContain("/usr/bin");
  });

  it("needs no file", () => {
    expect(load(undefined).config).toMatchObject({ image: "base" });
  });

  it.each([
    ["memoryMib", 96, 65_536],
    ["cpus", 1, 32],
    ["cacheMibMax", 1, 10_000_000],
    ["approvalTimeoutS", 1, 86_400],
  ])("holds %s from %i to %i and nothing else", (key, min, max) => {
    for (const value of [min, max, String(max)]) {
      expect(load({ [key]: value }).config).toMatchObject({ [key]: Number(value) });
    }
    for (const value of [min - 1, max + 1, 1.5, "many", "", " ", true, null, [8], {}]) {
      expect(() => load({ [key]: value })).toThrow(
        expect.objectContaining({
          code: "CONFIG_INVALID",
          hint: `use a whole number from ${min} to ${max}`,
        }),
      );
    }
  });

  it("names the variable that has a bad value", () => {
    expect(() => load({}, { LUMINAGUARD_CPUS: "two" })).toThrow('LUMINAGUARD_CPUS is "two"');
  });

  it.each([7, "", null, {}])("refuses %j where text is wanted", (image) => {
    expect(() => load({ image })).toThrow(
      expect.objectContaining({
        code: "CONFIG_INVALID",
        message: expect.stringMatching(/^image in .*config\.json must be text$/) as unknown,
      }),
    );
  });

  it.each([
    ["memory", /known: cacheDir, /],
    ["memoryMb", /^did you mean "memoryMib"\?$/],
    ["Image", /^did you mean "image"\?$/],
    ["homeDir", /known|did you mean/],
    ["searchPath", /known|did you mean/],
    ["__proto__", /known|did you mean/],
    ["constructor", /known|did you mean/],
  ])("refuses a setting %j in a file, with the nearest known", (key, hint) => {
    expect(() => load(`{"${key}": 1}`)).toThrow(
      expect.objectContaining({
        code: "CONFIG_INVALID",
        message: expect.stringContaining(`unknown setting "${key}"`) as unknown,
        hint: expect.stringMatching(hint) as unknown,
      }),
    );
  });

  it.each(["", "{", "[]", "7", "null", '"text"'])("refuses a file that says %j", (text) => {
    expect(() => load(text)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });

  it("refuses a file that cannot be read", () => {
    using temp = makeTempDir();
    chmodSync(temp.path, 0o700);
    expect(() => loadConfig({ HOME: "/home/ada", LUMINAGUARD_CONFIG: temp.path })).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID" }),
    );
  });

  it("hands programs that build images a path and proxies, and no secret", () => {
    const secrets = { AWS_SECRET_ACCESS_KEY: "x", GITHUB_TOKEN: "x", NODE_OPTIONS: "x" };
    const passed = { PATH: "/usr/bin", https_proxy: "http://mirror.example", GOPROXY: "off" };
    const { toolEnvironment } = load({}, { ...secrets, ...passed });
    expect(toolEnvironment).toEqual({ HOME: "/home/ada", ...passed });
  });
});

describe("what the environment says of the terminal", () => {
  it.each([
    [{}, false],
    [{ NO_COLOR: "" }, false],
    [{ NO_COLOR: "1" }, true],
    [{ TERM: "dumb" }, true],
    [{ TERM: "xterm-256color" }, false],
  ])("%j is plain: %s", (environment, plain) => {
    expect(loadIoSettings(environment)).toMatchObject({ plain, pager: undefined });
  });

  it("is the person's pager, with the variables it needs and no others", () => {
    const environment = { PAGER: "less -S", HOME: "/home/ada", API_TOKEN: "x", LESS: "FX" };
    expect(loadIoSettings(environment).pager).toEqual({
      command: "less -S",
      environment: { HOME: "/home/ada", LESS: "FX", LESSSECURE: "1" },
    });
    expect(loadIoSettings({ PAGER: " " }).pager).toBeUndefined();
  });

  it.each([
    [{}, "vi"],
    [{ EDITOR: "nano" }, "nano"],
    [{ VISUAL: " code --wait ", EDITOR: "nano" }, "code --wait"],
    [{ VISUAL: " ", EDITOR: "" }, "vi"],
  ])("%j names the person's editor: %s", (environment, command) => {
    expect(loadIoSettings(environment).editor.command).toBe(command);
  });

  it("gives the editor the variables it needs and no others", () => {
    const environment = { EDITOR: "nano", HOME: "/home/ada", API_TOKEN: "x", DISPLAY: ":0" };
    expect(loadIoSettings(environment).editor.environment).toEqual({
      HOME: "/home/ada",
      DISPLAY: ":0",
    });
  });

  it("is one variable by its name, for whoever named it", () => {
    expect(loadVariable("PATH")).toBe(process.env["PATH"]);
    expect(loadVariable("NO_SUCH_VARIABLE_HERE")).toBeUndefined();
  });
});
