/** What is asked for when an image is to be taken from outside. */
import type { ImageManifest } from "../manifest.ts";
import type { OciLimits } from "./limits.ts";
import type { RetryRules } from "./registry/retry-rules.ts";

/** Whose kernel, guest agent and licences the image gets. */
export interface BaseImage {
  readonly folder: string;
  readonly manifest: ImageManifest;
}

export interface PullRequest {
  /** with its registry's host */
  readonly reference: string;
  /** @default the reference itself */
  readonly name?: string | undefined;
  readonly base: BaseImage;
  /** a Docker configuration whose logins are used; none is looked for
   * @default no login */
  readonly dockerConfigPath?: string | undefined;
  /** longest pull in `ms`
   * @default 3_600_000 */
  readonly timeoutMs?: number | undefined;
  /** @default what is far over public images */
  readonly limits?: Partial<OciLimits> | undefined;
  /** @default five tries, from half a second on */
  readonly retry?: Partial<RetryRules> | undefined;
}

export interface ImportRequest {
  /** OCI layout, docker-archive, tar of a root (packed or not), or folder */
  readonly path: string;
  /** @default the last part of the path, without its endings */
  readonly name?: string | undefined;
  /** which image, where there are several */
  readonly tag?: string | undefined;
  readonly base: BaseImage;
  readonly limits?: Partial<OciLimits> | undefined;
}
