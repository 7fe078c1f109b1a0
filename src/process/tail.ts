/** The last bytes of a stream, for an error message: bounded whatever the program prints. */
export interface Tail {
  readonly push: (chunk: Buffer) => void;
  readonly text: () => string;
}

/** @param bytesMax bytes kept, 4 KiB unless said */
export function createTail(bytesMax = 4096): Tail {
  let kept: Buffer = Buffer.alloc(0);
  return {
    push: (chunk) => {
      kept = Buffer.concat([kept, chunk.subarray(-bytesMax)]).subarray(-bytesMax);
    },
    text: () => kept.toString("utf8"),
  };
}
