/**
 * Requests to one registry: retried, redirected, bounded in time. A login is shown to the registry's
 * own origin alone; where it sends us elsewhere, as to its store of blobs, nothing is shown.
 */
import { Agent, EnvHttpProxyAgent, request } from "undici";
import type { Dispatcher } from "undici";
import { LuminaGuardError, messageOf } from "../../../errors.ts";
import { quote } from "../invalid.ts";
import { checkPlace, isLoopback, registryOrigin } from "./origin-rules.ts";
import { RegistryLogin } from "./registry-login.ts";
import type { FindCredentials } from "./registry-login.ts";
import { isOfConnection, isPassing, waitForTry } from "./retry-rules.ts";
import type { RetryRules } from "./retry-rules.ts";

export interface RegistryHttpOptions {
  readonly host: string;
  readonly repository: string;
  readonly find: FindCredentials;
  readonly retry: RetryRules;
  /** proxies, in the usual variables */
  readonly env: Readonly<Record<string, string>>;
  /** ends everything, with the overall deadline in it */
  readonly signal: AbortSignal;
}

export interface RegistryAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array> & { destroy: () => unknown };
}

/** silence before a request is given up, in `ms` */
const silenceMs = 30_000;
const redirectsMax = 5;
const documentBytesMax: number = 1024 * 1024;

export class RegistryHttp implements AsyncDisposable {
  readonly #options: RegistryHttpOptions;
  readonly #registry: string;
  readonly #login: RegistryLogin;
  /** to places of this host, which no proxy is to see: what is said there is not encrypted */
  readonly #direct: Dispatcher;
  readonly #proxied: Dispatcher;
  #loggingIn: Promise<void> | undefined;

  constructor(options: RegistryHttpOptions) {
    const { host, repository, find, env } = options;
    this.#options = options;
    this.#registry = registryOrigin(host);
    const connect = { timeout: silenceMs };
    this.#direct = new Agent({ connect });
    this.#proxied = new EnvHttpProxyAgent({
      connect,
      httpProxy: env["http_proxy"] ?? env["HTTP_PROXY"] ?? "",
      httpsProxy: env["https_proxy"] ?? env["HTTPS_PROXY"] ?? "",
      noProxy: env["no_proxy"] ?? env["NO_PROXY"] ?? "",
    });
    this.#login = new RegistryLogin({
      registry: this.#registry,
      host,
      repository,
      find,
      get: async (url, authorization) => {
        const headers = authorization === undefined ? {} : { authorization };
        const answer = await this.#persist(() => this.#follow(url, headers));
        if (answer.status === 401 || answer.status === 403) {
          answer.body.destroy();
          throw this.#login.refusal();
        }
        return this.readWhole(answer, documentBytesMax);
      },
    });
  }

  /** One answer below `/v2/REPOSITORY/`; 404 and the like are answers too. */
  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<RegistryAnswer> {
    const url = new URL(`/v2/${this.#options.repository}/${path}`, this.#registry);
    for (let logins = 0; ; logins += 1) {
      await this.#loggingIn;
      const shown = this.#login.authorization;
      const answer = await this.#persist(() => this.#follow(url, headers));
      if (answer.status !== 401) return answer;
      answer.body.destroy();
      if (logins === 2) throw this.#login.refusal();
      // of many requests that were refused together one asks for a token
      if (shown === this.#login.authorization) {
        this.#loggingIn ??= this.#login
          .answer(answer.headers["www-authenticate"] ?? "")
          .finally(() => {
            this.#loggingIn = undefined;
          });
        await this.#loggingIn;
      }
    }
  }

  /** The whole body. Raises IMAGE_INVALID over the bound, PROCESS_FAILED for an answer that is none. */
  async readWhole(answer: RegistryAnswer, bytesMax: number): Promise<Buffer> {
    if (answer.status !== 200) {
      answer.body.destroy();
      throw this.unexpected(answer);
    }
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of answer.body) {
      bytes += piece.length;
      if (bytes > bytesMax) {
        answer.body.destroy();
        throw new LuminaGuardError(
          "IMAGE_INVALID",
          `the registry's answer is over ${bytesMax} bytes`,
        );
      }
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  /** An answer that leads nowhere. */
  unexpected({ status }: Pick<RegistryAnswer, "status">): LuminaGuardError {
    const { host, repository } = this.#options;
    if (status === 403) return this.#login.refusal();
    return new LuminaGuardError(
      "IMAGE_PULL_FAILED",
      `${host} answered ${status} for ${repository}`,
      {
        hint: "try again later",
        details: { host, status },
      },
    );
  }

  /** Makes it again while what fails is passing. */
  async #persist(make: () => Promise<RegistryAnswer>): Promise<RegistryAnswer> {
    const { retry, signal, host } = this.#options;
    for (let tries = 1; ; tries += 1) {
      signal.throwIfAborted();
      let retryAfter: string | undefined;
      try {
        const answer = await make();
        if (!isPassing(answer.status)) return answer;
        answer.body.destroy();
        retryAfter = answer.headers["retry-after"];
        if (tries >= retry.triesMax) throw this.unexpected(answer);
      } catch (error) {
        signal.throwIfAborted();
        if (!isOfConnection(error)) throw explain(error, host);
        if (tries >= retry.triesMax) throw explain(error, host);
      }
      await waitForTry(tries, retryAfter, retry, signal);
    }
  }

  async #follow(first: URL, headers: Readonly<Record<string, string>>): Promise<RegistryAnswer> {
    let url = first;
    for (let redirects = 0; redirects <= redirectsMax; redirects += 1) {
      const answer = await this.#send(url, first, headers);
      const location = answer.headers["location"];
      if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined)
        return answer;
      answer.body.destroy();
      url = checkPlace(location, this.#registry, url.href);
    }
    throw new LuminaGuardError("IMAGE_PULL_FAILED", `${this.#options.host} sends us in a circle`);
  }

  async #send(
    url: URL,
    first: URL,
    { authorization, ...plain }: Readonly<Record<string, string>>,
  ): Promise<RegistryAnswer> {
    const own = url.origin === this.#registry ? this.#login.authorization : undefined;
    const given = url.origin === first.origin ? authorization : undefined;
    const shown = given ?? own;
    const { statusCode, headers, body } = await request(url, {
      dispatcher: isLoopback(url.hostname) ? this.#direct : this.#proxied,
      signal: this.#options.signal,
      headersTimeout: silenceMs,
      bodyTimeout: silenceMs,
      headers: { "accept-encoding": "identity", ...plain, ...(shown && { authorization: shown }) },
    });
    body.on("error", () => undefined); // whoever reads it is told; whoever does not, need not be
    const single = Object.entries(headers).map(([name, value]): [string, string] => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]);
    return { status: statusCode, headers: Object.fromEntries(single), body };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#direct.destroy(), this.#proxied.destroy()]);
  }
}

function explain(error: unknown, host: string): unknown {
  if (error instanceof LuminaGuardError) return error;
  return new LuminaGuardError(
    "IMAGE_PULL_FAILED",
    `${quote(host)} cannot be reached: ${messageOf(error)}`,
    {
      hint: "look at the registry's host and the network, then try again: what came is kept",
      cause: error,
    },
  );
}
