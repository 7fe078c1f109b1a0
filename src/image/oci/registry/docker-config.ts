/**
 * Logins from a Docker configuration that a person named: kept in the file, or by a credential helper
 * that the file names. None is looked for by itself.
 */
import { isAbsolute } from "node:path";
import * as v from "valibot";
import { readPlainFile } from "../../../base/read-plain-file.ts";
import { LuminaGuardError } from "../../../errors.ts";
import { runProgram } from "../../../process/run-program.ts";
import type { Credentials, FindCredentials } from "./registry-login.ts";

interface FinderOptions {
  /** a helper finds its own things by it */
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

const textMax = 64 * 1024;
const configSchema = v.object({
  auths: v.optional(v.record(v.string(), v.object({ auth: v.optional(v.string()) })), {}),
  credHelpers: v.optional(v.record(v.string(), v.string()), {}),
  credsStore: v.optional(v.string()),
});
const answerSchema = v.object({ Username: v.string(), Secret: v.string() });

/** Docker's own name for its registry is an old address. */
const hubKey = "https://index.docker.io/v1/";
const helperTimeoutMs = 30_000;

/** @param path of the configuration; without one nothing is ever found */
export function createCredentialFinder(
  path: string | undefined,
  options: FinderOptions,
): FindCredentials {
  if (path === undefined) return () => Promise.resolve(undefined);
  let config: Promise<v.InferOutput<typeof configSchema>> | undefined;
  return async (host) => {
    config ??= readConfig(path);
    const { auths, credHelpers, credsStore } = await config;
    const keys = host === "docker.io" ? [hubKey, host] : [host, `https://${host}`];
    for (const key of keys) {
      const helper = credHelpers[key] ?? (key in auths ? credsStore : undefined);
      if (helper !== undefined) return askHelper(helper, key, options);
      const auth = auths[key]?.auth;
      if (auth !== undefined && auth !== "") return decodeAuth(auth, path);
    }
    return undefined;
  };
}

async function readConfig(path: string): Promise<v.InferOutput<typeof configSchema>> {
  const refuse = (why: string): Error =>
    new LuminaGuardError("CONFIG_INVALID", `the Docker configuration ${path} ${why}`);
  const text = await readPlainFile(path, { bytesMax: textMax, followsLink: true, refuse });
  if (text === undefined) throw refuse("is not there");
  const config = v.safeParse(configSchema, parseJson(text));
  // without a cause: it would hold what is in the file
  if (!config.success) throw broken(path);
  return config.output;
}

function decodeAuth(auth: string, path: string): Credentials {
  const text = Buffer.from(auth, "base64").toString("utf8");
  const at = text.indexOf(":");
  if (at < 1) throw broken(path);
  return { user: text.slice(0, at), password: text.slice(at + 1) };
}

/** The helper's protocol: the server's name on stdin, JSON on stdout. */
async function askHelper(
  name: string,
  server: string,
  { env, signal }: FinderOptions,
): Promise<Credentials | undefined> {
  if (!/^[\w.-]+$/.test(name) || isAbsolute(name)) {
    throw new LuminaGuardError("CONFIG_INVALID", "the credential helper's name is not a name");
  }
  const program = `docker-credential-${name}`;
  const { exitCode, stdout } = await runProgram(program, ["get"], {
    input: server,
    env,
    signal,
    timeoutMs: helperTimeoutMs,
    outputBytesMax: textMax,
    allowFailure: true,
  });
  if (exitCode !== 0) return undefined; // it has nothing for this server
  const answer = v.safeParse(answerSchema, parseJson(stdout.toString("utf8")));
  if (!answer.success) {
    throw new LuminaGuardError("PROCESS_FAILED", `${program} did not answer as helpers do`);
  }
  return { user: answer.output.Username, password: answer.output.Secret };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function broken(path: string): LuminaGuardError {
  return new LuminaGuardError("CONFIG_INVALID", `${path} is not a Docker configuration`);
}
