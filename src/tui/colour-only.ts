/**
 * Lets a machine's output through to a terminal with its colours and nothing else: no cursor moves,
 * no titles, no reports that type into the terminal's input, no control characters but line feed,
 * carriage return and tab. What comes out is UTF-8 whatever goes in, so that no byte is read as a
 * control by a terminal that decodes otherwise. Works on bytes in any chunking and keeps no more
 * than one sequence. Sequences: ECMA-48, sections 5.3 to 5.6 and 8.3.117 (SGR).
 */
type State = "text" | "escape" | "csi" | "string" | "string-escape";

const escape = 0x1b;
const bell = 0x07;
const backslash = 0x5c;
/** a longer colour sequence is not one */
const sequenceBytesMax = 64;
const kept = new Set([0x09, 0x0a, 0x0d]);
/** P X ] ^ _ after escape: device control, start of string, system command, privacy, application */
const stringStarts = new Set([0x50, 0x58, 0x5d, 0x5e, 0x5f]);
/** U+FFFD, which stands for bytes that are no character */
const replacement = [0xef, 0xbf, 0xbd];

export class ColourOnlyFilter {
  #state: State = "text";
  /** parameters of a control sequence, or the bytes of a character so far */
  #sequence: number[] = [];

  /** The bytes that may be shown. */
  push(chunk: Uint8Array): Buffer {
    const shown: number[] = [];
    for (const byte of chunk) this.#take(byte, shown);
    return Buffer.from(shown);
  }

  #take(byte: number, shown: number[]): void {
    // an escape starts anew wherever it stands, except where it may end a string
    if (byte === escape && this.#state !== "string") {
      if (this.#state === "text") this.#dropCharacter(shown);
      this.#begin("escape");
    } else steps[this.#state](this, byte, shown);
  }

  /** One step of each state; kept together because they are one table. */
  static readonly steps: Readonly<
    Record<State, (self: ColourOnlyFilter, byte: number, shown: number[]) => void>
  > = {
    text: (self, byte, shown) => {
      if (self.#sequence.length > 0 && continues(self.#sequence, byte)) {
        self.#sequence.push(byte);
        if (self.#sequence.length === lengthOf(self.#sequence[0] ?? 0)) self.#finish(shown);
        return;
      }
      self.#dropCharacter(shown);
      if (byte >= 0x80) {
        if (lengthOf(byte) > 1) self.#sequence.push(byte);
        else shown.push(...replacement);
      } else if ((byte >= 0x20 && byte !== 0x7f) || kept.has(byte)) shown.push(byte);
    },
    escape: (self, byte, shown) => {
      if (byte === 0x5b) self.#begin("csi");
      else if (stringStarts.has(byte)) self.#begin("string");
      else if (byte < 0x20 || byte >= 0x7f) self.#abandon(byte, shown);
      // an intermediate byte: the sequence goes on
      else if (byte > 0x2f) self.#begin("text");
    },
    csi: (self, byte, shown) => {
      const sequence = self.#sequence;
      if (byte < 0x20 || byte >= 0x7f || sequence.length > sequenceBytesMax) {
        self.#abandon(byte, shown);
      } else if (byte < 0x40) sequence.push(byte);
      else {
        self.#begin("text");
        if (byte === 0x6d && sequence.every(isColourParameter)) {
          shown.push(escape, 0x5b, ...sequence, byte);
        }
      }
    },
    string: (self, byte) => {
      const ends = byte === bell || (byte === 0x9c && self.#sequence[0] === 0xc2);
      if (ends) self.#begin("text");
      else if (byte === escape) self.#begin("string-escape");
      else self.#sequence = byte === 0xc2 ? [byte] : []; // U+009C ends a string as well
    },
    "string-escape": (self, byte) => {
      self.#begin(byte === backslash ? "text" : "string");
    },
  };

  #begin(state: State): void {
    this.#state = state;
    this.#sequence = [];
  }

  /** The byte is not the sequence's: what was read of it is gone, and the byte is text. */
  #abandon(byte: number, shown: number[]): void {
    this.#begin("text");
    this.#take(byte, shown);
  }

  /** A character that another byte cut short. */
  #dropCharacter(shown: number[]): void {
    if (this.#sequence.length > 0) shown.push(...replacement);
    this.#sequence = [];
  }

  /** A whole character. U+0080 to U+009F are the 8-bit controls: U+009B is escape and "[" in one. */
  #finish(shown: number[]): void {
    const character = this.#sequence;
    this.#sequence = [];
    const [lead, second = 0] = character;
    if (lead !== 0xc2 || second >= 0xa0) shown.push(...character);
    else if (second === 0x9b) this.#begin("csi");
    else if (stringStarts.has(second - 0x40)) this.#begin("string");
  }
}

const { steps } = ColourOnlyFilter;

/** Digits, ";" and ":". */
function isColourParameter(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x3b;
}

/** Bytes of a character that starts with this one in UTF-8; 1 for a byte that starts none. */
function lengthOf(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 1;
}

/** Whether a character goes on with this byte (Unicode 16, table 3-7): no long forms, no surrogates. */
function continues(character: readonly number[], byte: number): boolean {
  if (byte < 0x80 || byte > 0xbf) return false;
  const [lead, second] = character;
  if (second !== undefined) return true;
  if (lead === 0xe0) return byte >= 0xa0;
  if (lead === 0xed) return byte <= 0x9f;
  if (lead === 0xf0) return byte >= 0x90;
  return lead !== 0xf4 || byte <= 0x8f;
}
