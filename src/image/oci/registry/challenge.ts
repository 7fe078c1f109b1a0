/** What a registry wants to be shown: the WWW-Authenticate header (RFC 9110, 11.6.1). */
export interface Challenge {
  /** in lower case */
  readonly scheme: string;
  /** by name in lower case */
  readonly parameters: ReadonlyMap<string, string>;
}

const lengthMax = 8192;

/** Each challenge of the header; what cannot be read is left out. */
export function parseChallenges(header: string): Challenge[] {
  const text = header.slice(0, lengthMax);
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  const token = /\s*,?\s*([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/y;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [, name = "", quoted, plain] = match;
    const value = quoted?.replaceAll(/\\(.)/g, "$1") ?? plain;
    if (value === undefined) found.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else found.at(-1)?.parameters.set(name.toLowerCase(), value);
  }
  return found;
}
