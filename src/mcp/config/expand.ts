/** `${NAME}` and `${NAME:-otherwise}` in an entry's values, as other clients have them. */
import { LuminaGuardError } from "../../errors.ts";

/** The variable's value, undefined where there is none, or where this file may not have it. */
export type Lookup = (name: string) => string | undefined;

const reference = /\$\{([A-Za-z_][A-Za-z0-9_]{0,127})(?::-([^}]*))?\}/g;

/** Raises CONFIG_INVALID for a name that has no value; the name is told, values never. */
export function expandText(text: string, lookup: Lookup, where: string): string {
  return text.replace(reference, (_whole, name: string, otherwise: string | undefined) => {
    const value = lookup(name) ?? otherwise;
    if (value !== undefined) return value;
    throw new LuminaGuardError(
      "CONFIG_INVALID",
      `${where} needs \${${name}}, which has no value here`,
      {
        hint: `set ${name}; for a project's file also list it: "mcpVariables": "${name}" in your own config.json`,
      },
    );
  });
}

export function expandAll(
  values: Readonly<Record<string, string>>,
  lookup: Lookup,
  where: string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(values).map(([name, text]) => [name, expandText(text, lookup, where)]),
  );
}

/** The names an entry refers to, each once. */
export function namesIn(texts: readonly string[]): readonly string[] {
  const found = texts.flatMap((text) => [...text.matchAll(reference)].map(([, name = ""]) => name));
  return [...new Set(found)].sort();
}
