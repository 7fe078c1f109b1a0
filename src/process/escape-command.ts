/** A command as one line that can be pasted into a shell; control characters are shown, not sent. */
export function escapeCommand(argv: readonly string[]): string {
  return argv.map(escapeArgument).join(" ");
}

function escapeArgument(argument: string): string {
  if (/^[\w@%+=:,./-]+$/.test(argument)) return argument;
  if (!/\p{Cc}/u.test(argument)) return `'${argument.replaceAll("'", String.raw`'\''`)}'`;
  const escaped = argument
    .replaceAll("\\", "\\\\")
    .replaceAll("'", "\\'")
    // byte by byte: what a shell makes of a code point depends on its locale
    .replaceAll(/\p{Cc}/gu, (control) =>
      Buffer.from(control).toString("hex").replaceAll(/../g, "\\x$&"),
    );
  return `$'${escaped}'`;
}
