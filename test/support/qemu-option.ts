/** As QEMU reads an option's value: parts end at a comma, two commas are one (docs: invocation, -drive). */
export function readOption(value: string): Record<string, string> {
  const parts: string[] = [""];
  for (let at = 0; at < value.length; at += 1) {
    if (value.startsWith(",,", at)) at += 1;
    else if (value[at] === ",") {
      parts.push("");
      continue;
    }
    parts.push(`${parts.pop() ?? ""}${value[at] ?? ""}`);
  }
  return Object.fromEntries(
    parts.map((part) => {
      const [name = "", ...rest] = part.split("=");
      return [name, rest.join("=")];
    }),
  );
}
