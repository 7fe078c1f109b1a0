/**
 * Lets a machine's output through to a terminal with its colours and nothing else: no cursor moves,
 * no titles, no reports that type into the terminal's input, no control characters but line feed,
 * carriage return and tab. Works on bytes in any chunking and keeps no more than one colour sequence.
 * Sequences: ECMA-48, sections 5.3 to 5.6 and 8.3.117 (SGR).
 */
type State = "text" | "escape" | "csi" | "string" | "string-escape" | "c2";

const escape = 0x1b;
const bell = 0x07;
const backslash = 0x5c;
/** first byte of U+0080 to U+00BF in UTF-8; the 8-bit controls are U+0080 to U+009F */
const c2 = 0xc2;
/** a longer colour sequence is not one */
const sequenceBytesMax = 64;
const kept = new Set([0x09, 0x0a, 0x0d]);
/** P X ] ^ _ after escape: device control, start of string, system command, privacy, application */
const stringStarts = new Set([0x50, 0x58, 0x5d, 0x5e, 0x5f]);

export class ColourOnlyFilter {
  #state: State = "text";
  #sequence: number[] = [];

  /** The bytes that may be shown. */
  push(chunk: Uint8Array): Buffer {
    const shown: number[] = [];
    for (const byte of chunk) this.#take(byte, shown);
    return Buffer.from(shown);
  }

  #take(byte: number, shown: number[]): void {
    // an escape starts anew wherever it stands, except where it may end a string
    if (byte === escape && this.#state !== "string") this.#state = "escape";
    else steps[this.#state](this, byte, shown);
  }

  /** One step of each state; kept together because they are one table. */
  static readonly steps: Readonly<
    Record<State, (self: ColourOnlyFilter, byte: number, shown: number[]) => void>
  > = {
    text: (self, byte, shown) => {
      if (byte === c2) self.#state = "c2";
      else if ((byte >= 0x20 && byte !== 0x7f) || kept.has(byte)) shown.push(byte);
    },
    c2: (self, byte, shown) => {
      self.#state = "text";
      if (byte >= 0xa0) shown.push(c2, byte);
      else if (byte === 0x9b) self.#begin("csi");
      else if (byte === 0x90 || (byte >= 0x98 && byte <= 0x9f && byte !== 0x9a && byte !== 0x9c))
        self.#begin("string");
    },
    escape: (self, byte) => {
      if (byte === 0x5b) self.#begin("csi");
      else if (stringStarts.has(byte)) self.#begin("string");
      // an intermediate byte: the sequence goes on
      else if (byte < 0x20 || byte > 0x2f) self.#state = "text";
    },
    csi: (self, byte, shown) => {
      const isFinal = byte >= 0x40 && byte <= 0x7e;
      if (!isFinal && byte >= 0x20 && self.#sequence.length < sequenceBytesMax) {
        self.#sequence.push(byte);
        return;
      }
      self.#state = "text";
      if (byte === 0x6d && self.#sequence.every(isColourParameter)) {
        shown.push(escape, 0x5b, ...self.#sequence, byte);
      }
    },
    string: (self, byte) => {
      if (byte === bell) self.#state = "text";
      else if (byte === escape) self.#state = "string-escape";
    },
    "string-escape": (self, byte) => {
      self.#state = byte === backslash ? "text" : "string";
    },
  };

  #begin(state: State): void {
    this.#state = state;
    this.#sequence = [];
  }
}

const { steps } = ColourOnlyFilter;

/** Digits, ";" and ":". */
function isColourParameter(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x3b;
}
