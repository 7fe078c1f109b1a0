/** How deep JSON is nested, told from its bytes before it is parsed. */

const quote = 0x22;
const backslash = 0x5c;

/** Whether brackets and braces outside of strings are open more than `depthMax` deep anywhere. */
export function isDeeperThan(json: Uint8Array, depthMax: number): boolean {
  if (json.length <= depthMax) return false; // each level takes a byte
  let depth = 0;
  for (let at = 0; at < json.length; at += 1) {
    switch (json[at]) {
      case quote:
        at = endOfString(json, at);
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        if (depth > depthMax) return true;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth -= 1;
        break;
      default:
    }
  }
  return false;
}

/** Where the string that begins at `from` ends: at its quote, or with the bytes. */
function endOfString(json: Uint8Array, from: number): number {
  let at = json.indexOf(quote, from + 1);
  while (at !== -1 && isEscaped(json, at)) at = json.indexOf(quote, at + 1);
  return at === -1 ? json.length : at;
}

/** A quote after an odd number of backslashes does not end its string. */
function isEscaped(json: Uint8Array, at: number): boolean {
  let from = at;
  while (json[from - 1] === backslash) from -= 1;
  return (at - from) % 2 === 1;
}
