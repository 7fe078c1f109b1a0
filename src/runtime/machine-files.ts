/** Files inside a machine, by its wire. */
import type { Readable } from "node:stream";
import type { ReadFileOptions, WireClient, WriteFileOptions } from "../wire/wire-client.ts";

interface SignalOption {
  readonly signal?: AbortSignal | undefined;
}

/** Files inside a machine. */
export interface MachineFiles {
  /** The bytes of a file. Raises GUEST_REFUSED when there is none. */
  readonly read: (path: string, options?: ReadFileOptions) => Promise<Buffer>;
  /** Writes a file, making the folders above it. */
  readonly write: (
    path: string,
    data: Uint8Array | string,
    options?: WriteFileOptions,
  ) => Promise<void>;
  /** Unpacks a tar stream below a folder. */
  readonly unpack: (path: string, tar: Readable, options?: SignalOption) => Promise<void>;
  /** The tree below a folder as a tar stream. Hostile bytes: the machine wrote them. */
  readonly pack: (path: string, options?: SignalOption) => AsyncGenerator<Buffer, void, undefined>;
}

/**
 * @param wire the machine's wire at the time of each call
 * @param user whose new files are, as `uid:gid` @default the machine's ordinary user
 */
export function filesOf(wire: () => WireClient, user: string = "1000:1000"): MachineFiles {
  const [uid = "1000", gid = "1000"] = user.split(":");
  const owner = { uid, gid };
  return Object.freeze({
    read: (path, options) => wire().readFile(path, options),
    write: (path, data, options) => wire().writeFile(path, data, { owner, ...options }),
    unpack: async (path, tar, options) => {
      await wire().sendTar(path, tar, { owner, ...options });
    },
    pack: (path, options) => wire().receiveTar(path, options),
  } satisfies MachineFiles);
}
