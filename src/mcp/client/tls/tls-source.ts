/**
 * What a new TLS connection to an MCP server is made with. Files are looked at again at most once a
 * second, when a connection is made: after a change new connections use the new certificate and old
 * ones end in their own time.
 */
import type { ConnectionOptions } from "node:tls";
import type { Clock } from "../../../base/clock.ts";
import { hostClock } from "../../../base/clock.ts";
import { messageOf } from "../../../errors.ts";
import { readSecureContext, stampFiles } from "./tls-material.ts";
import type { TlsOptions } from "./tls-options.ts";
import { createPinCheck } from "./tls-pin.ts";

/** For `tls.connect` and undici's `connect`. Verification is on in it, whatever the environment says. */
export type TlsSettings = Pick<
  ConnectionOptions,
  "secureContext" | "servername" | "checkServerIdentity"
> & { readonly rejectUnauthorized: true };

export type TlsEvent =
  | { readonly kind: "certificates-reloaded" }
  /** the new files cannot be used: the old certificate stays */
  | { readonly kind: "certificates-kept"; readonly reason: string };

export interface TlsSourceOptions {
  /** @default the host's */
  readonly clock?: Clock;
  readonly onEvent?: (event: TlsEvent) => void;
}

/** shortest time between two looks at the files, in `ms` */
const lookAgainMs = 1000;

/**
 * Gives the settings of the next connection: the same object while no file changed. Raises MCP_TLS
 * when the files cannot be used at the start; later the last ones that could be are kept, since a
 * certificate and its key are never replaced in one step.
 */
export function createTlsSource(
  options: TlsOptions,
  { clock = hostClock, onEvent }: TlsSourceOptions = {},
): () => TlsSettings {
  let stamp = stampFiles(options);
  let settings = readSettings(options);
  let lookedAt = clock.now();

  return () => {
    if (clock.now() - lookedAt < lookAgainMs) return settings;
    lookedAt = clock.now();
    const current = stampFiles(options);
    if (current === stamp) return settings;
    try {
      settings = readSettings(options);
      stamp = current; // not before: what is half replaced is looked at again
      onEvent?.({ kind: "certificates-reloaded" });
    } catch (error) {
      onEvent?.({ kind: "certificates-kept", reason: messageOf(error) });
    }
    return settings;
  };
}

function readSettings(options: TlsOptions): TlsSettings {
  return Object.freeze({
    rejectUnauthorized: true,
    secureContext: readSecureContext(options),
    ...(options.servername !== undefined && { servername: options.servername }),
    ...(options.pins !== undefined && { checkServerIdentity: createPinCheck(options.pins) }),
  });
}
