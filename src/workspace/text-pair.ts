/** Two contents as text, byte for byte: no two different contents become the same text. */
import { isUtf8 } from "node:buffer";

export interface TextPair {
  readonly before: string;
  readonly after: string;
  /** what turns the text back into the bytes it came from */
  readonly encoding: "utf8" | "latin1";
}

const nothing = Buffer.alloc(0);

/** UTF-8 where both are; else each byte is a character, since a replacement character stands for any byte. */
export function decodePair(before: Buffer = nothing, after: Buffer = nothing): TextPair {
  const encoding = isUtf8(before) && isUtf8(after) ? "utf8" : "latin1";
  return { before: before.toString(encoding), after: after.toString(encoding), encoding };
}
