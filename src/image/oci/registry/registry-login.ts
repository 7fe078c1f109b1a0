/**
 * Shows a registry who asks: a token from where it says (distribution specification, token
 * authentication), or a name and a password. These go to the host they are kept for and to no other;
 * what is asked for is to read one repository, whatever the registry asks us to ask for.
 */
import * as v from "valibot";
import { LuminaGuardError } from "../../../errors.ts";
import { check, parseJson } from "../descriptor.ts";
import { parseChallenges } from "./challenge.ts";
import { checkPlace } from "./origin-rules.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** What is kept for a host, such as `ghcr.io`; undefined where nothing is. */
export type FindCredentials = (host: string) => Promise<Credentials | undefined>;

/** Gets a small document, without showing anything but `authorization`. */
export type GetDocument = (url: URL, authorization: string | undefined) => Promise<Buffer>;

interface LoginOptions {
  readonly registry: string;
  /** as a reference says it */
  readonly host: string;
  readonly repository: string;
  readonly find: FindCredentials;
  readonly get: GetDocument;
}

const tokenSchema = v.object({
  token: v.optional(v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/))),
  access_token: v.optional(v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/))),
});

/** what Docker Hub's registry and its tokens' place are called */
const hubLogin = "https://auth.docker.io";

export class RegistryLogin {
  readonly #options: LoginOptions;
  #authorization: string | undefined;

  constructor(options: LoginOptions) {
    this.#options = options;
  }

  /** for requests to the registry itself */
  get authorization(): string | undefined {
    return this.#authorization;
  }

  /** After a 401. Raises IMAGE_NOT_FOUND where there is nothing to show. */
  async answer(header: string): Promise<void> {
    const challenges = parseChallenges(header);
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    const realm = bearer?.parameters.get("realm");
    if (realm !== undefined) {
      this.#authorization = `Bearer ${await this.#token(realm, bearer?.parameters.get("service"))}`;
      return;
    }
    const { host, find } = this.#options;
    const isBasic = challenges.some(({ scheme }) => scheme === "basic");
    const credentials = isBasic ? await find(host) : undefined;
    if (credentials === undefined) throw this.refusal();
    this.#authorization = renderBasic(credentials);
  }

  /** The registry says no, and no other answer is known. */
  refusal(): LuminaGuardError {
    const { host, repository } = this.#options;
    return new LuminaGuardError("IMAGE_NOT_FOUND", `${host} does not show ${repository} to us`, {
      hint: `look at the name; for a private one: luminaguard image pull … --docker-config FILE`,
      details: { host, repository },
    });
  }

  async #token(realm: string, service: string | undefined): Promise<string> {
    const { registry, host, repository, find, get } = this.#options;
    const url = checkPlace(realm, registry);
    if (service !== undefined) url.searchParams.set("service", service);
    url.searchParams.set("scope", `repository:${repository}:pull`);
    const isOwn = url.origin === registry || (host === "docker.io" && url.origin === hubLogin);
    const credentials = await find(isOwn ? host : url.host);
    const bytes = await get(url, credentials && renderBasic(credentials));
    const answer = check(tokenSchema, parseJson(bytes, "token"), "token");
    const token = answer.token ?? answer.access_token;
    if (token === undefined) throw this.refusal();
    return token;
  }
}

function renderBasic({ user, password }: Credentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}
