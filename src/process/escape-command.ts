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
    .replaceAll(/\p{Cc}/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return `$'${escaped}'`;
}
