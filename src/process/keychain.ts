/**
 * The keychain of the operating system, through the program it comes with: `secret-tool` (libsecret)
 * on Linux, `security` on macOS. Native bindings would bring a dozen packages, one a platform. The
 * secret goes to them on stdin, since arguments are shown to every user of the host.
 */
import { isLuminaGuardError } from "../errors.ts";
import { defaultProgramEnv, runProgram } from "./run-program.ts";

export interface Keychain {
  /** The secret; undefined when there is none, or no keychain that answers. */
  readonly read: (name: string) => Promise<string | undefined>;
  /** Whether it was kept. */
  readonly write: (name: string, secret: string) => Promise<boolean>;
}

export interface KeychainOptions {
  /** @default the host's */
  readonly platform?: NodeJS.Platform;
  /** what the programs need to find the session: DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR, HOME */
  readonly env: Readonly<Record<string, string>>;
  /** what the secrets are for
   * @default "luminaguard-mcp-logins" */
  readonly service?: string;
}

/** longest wait for a keychain in `ms`; one that asks a person to unlock it is not waited for longer */
const timeoutMs = 10_000;

/** undefined where the platform has none, or nobody is logged in to a desktop session. */
export function createKeychain(options: KeychainOptions): Keychain | undefined {
  const env = { ...defaultProgramEnv, ...options.env };
  const platform = options.platform ?? process.platform;
  const { service = "luminaguard-mcp-logins" } = options;
  if (platform === "darwin") return createMacKeychain(env, service);
  if (platform === "linux" && options.env["DBUS_SESSION_BUS_ADDRESS"])
    return createLibsecret(env, service);
  return undefined;
}

type Env = Readonly<Record<string, string>>;

function createLibsecret(env: Env, service: string): Keychain {
  return {
    read: (name) => ask("secret-tool", ["lookup", "service", service, "name", name], env),
    write: async (name, secret) => {
      const label = `--label=LuminaGuard: key of ${service}`;
      const args = ["store", label, "service", service, "name", name];
      return (await ask("secret-tool", args, env, secret)) !== undefined;
    },
  };
}

function createMacKeychain(env: Env, service: string): Keychain {
  return {
    read: (name) =>
      ask("security", ["find-generic-password", "-s", service, "-a", name, "-w"], env),
    write: async (name, secret) => {
      const command = `add-generic-password -U -s ${service} -a ${name} -w ${secret}\n`;
      return (await ask("security", ["-i"], env, command)) !== undefined;
    },
  };
}

async function ask(
  program: string,
  args: readonly string[],
  env: Env,
  input?: string,
): Promise<string | undefined> {
  try {
    const options = { env, timeoutMs, allowFailure: true, ...(input !== undefined && { input }) };
    const { exitCode, stdout } = await runProgram(program, args, options);
    return exitCode === 0 ? stdout.toString("utf8").trim() : undefined;
  } catch (error) {
    if (isLuminaGuardError(error)) return undefined; // not installed, or it does not answer
    throw error;
  }
}
