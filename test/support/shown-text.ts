/** What may reach a person's terminal, checked without the code that makes it so. */

/** What is wrong with bytes that are to be shown: `undefined` when nothing is. */
export function findUnsafe(shown: Buffer): string | undefined {
  const text = shown.toString("utf8");
  if (!Buffer.from(text).equals(shown)) return "it is not UTF-8";
  // eslint-disable-next-line no-control-regex -- colours start with one
  const bare = text.replaceAll(/\u001b\[[0-9:;]*m/g, "");
  // eslint-disable-next-line no-control-regex -- controls are what is looked for
  const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/.exec(bare)?.[0];
  return control === undefined ? undefined : `it has ${JSON.stringify(control)}`;
}
