/** Where files live on each platform: XDG on Linux, ~/Library on macOS, %LOCALAPPDATA% on Windows. */
import { posix, win32 } from "node:path";

export interface Folders {
  readonly cache: string;
  readonly state: string;
  readonly config: string;
  readonly runtime: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function resolveFolders(
  environment: Environment,
  platform: NodeJS.Platform,
  uid: number | undefined,
  home: string,
): Folders {
  if (platform === "win32") {
    const base = win32.join(
      environment["LOCALAPPDATA"] ?? win32.join(home, "AppData", "Local"),
      "luminaguard",
    );
    const of = (name: string): string => win32.join(base, name);
    return { cache: of("cache"), state: of("state"), config: of("config"), runtime: of("run") };
  }
  const temporary = `/tmp/luminaguard-${String(uid)}`;
  if (platform === "darwin") {
    const support = posix.join(home, "Library", "Application Support", "luminaguard");
    const cache = posix.join(home, "Library", "Caches", "luminaguard");
    return { cache, state: posix.join(support, "state"), config: support, runtime: temporary };
  }
  const of = (variable: string, fallback: string): string => {
    const base = environment[variable];
    // the XDG specification: a relative path is to be ignored
    return posix.join(
      base?.startsWith("/") === true ? base : posix.join(home, fallback),
      "luminaguard",
    );
  };
  const runtimeBase = environment["XDG_RUNTIME_DIR"];
  const ownRuntime = uid === 0 ? "/run/luminaguard" : temporary;
  return {
    cache: of("XDG_CACHE_HOME", ".cache"),
    state: of("XDG_STATE_HOME", ".local/state"),
    config: of("XDG_CONFIG_HOME", ".config"),
    runtime:
      runtimeBase?.startsWith("/") === true ? posix.join(runtimeBase, "luminaguard") : ownRuntime,
  };
}
