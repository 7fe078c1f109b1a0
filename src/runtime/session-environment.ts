/** What a keychain needs to find the person's session. */
import { loadVariable } from "../config/io-settings.ts";

export function sessionEnvironment(): Readonly<Record<string, string>> {
  const names = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "HOME"];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = loadVariable(name);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}
