import { describe, expect, it } from "vitest";
import { resolveFolders } from "../../../src/config/folders.ts";

describe("folders on Linux", () => {
  it("are below the home folder", () => {
    expect(resolveFolders({}, "linux", 1000, "/home/ada")).toEqual({
      cache: "/home/ada/.cache/luminaguard",
      state: "/home/ada/.local/state/luminaguard",
      config: "/home/ada/.config/luminaguard",
      runtime: "/tmp/luminaguard-1000",
    });
  });

  it("are where XDG's variables say", () => {
    const environment = {
      XDG_CACHE_HOME: "/c",
      XDG_STATE_HOME: "/s",
      XDG_CONFIG_HOME: "/f",
      XDG_RUNTIME_DIR: "/run/user/1000",
    };
    expect(resolveFolders(environment, "linux", 1000, "/home/ada")).toEqual({
      cache: "/c/luminaguard",
      state: "/s/luminaguard",
      config: "/f/luminaguard",
      runtime: "/run/user/1000/luminaguard",
    });
  });

  it.each(["", ".", "cache", "../up"])("are not where a relative path %j says", (path) => {
    const names = ["XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"];
    const environment = Object.fromEntries(names.map((name) => [name, path]));
    expect(resolveFolders(environment, "linux", 1000, "/home/ada")).toEqual(
      resolveFolders({}, "linux", 1000, "/home/ada"),
    );
  });

  it("of root's machines are in /run", () => {
    expect(resolveFolders({}, "linux", 0, "/r").runtime).toBe("/run/luminaguard");
  });
});

describe("folders on macOS", () => {
  it("are in the Library, whatever XDG says", () => {
    expect(resolveFolders({ XDG_CACHE_HOME: "/c" }, "darwin", 501, "/Users/ada")).toEqual({
      cache: "/Users/ada/Library/Caches/luminaguard",
      state: "/Users/ada/Library/Application Support/luminaguard/state",
      config: "/Users/ada/Library/Application Support/luminaguard",
      runtime: "/tmp/luminaguard-501",
    });
  });
});

describe("folders on Windows", () => {
  const user = String.raw`C:\Users\ada`;

  it("are in the local application data", () => {
    const environment = { LOCALAPPDATA: String.raw`D:\Data` };
    expect(resolveFolders(environment, "win32", undefined, user)).toEqual({
      cache: String.raw`D:\Data\luminaguard\cache`,
      state: String.raw`D:\Data\luminaguard\state`,
      config: String.raw`D:\Data\luminaguard\config`,
      runtime: String.raw`D:\Data\luminaguard\run`,
    });
  });

  it("are in the profile where nothing says otherwise", () => {
    expect(resolveFolders({}, "win32", undefined, user).cache).toBe(
      String.raw`C:\Users\ada\AppData\Local\luminaguard\cache`,
    );
  });
});
