/**
 * Reads the definitions out of an API description in YAML (Swagger 2.0), as far as objects, their fields'
 * types, words and bounds go. No reader of YAML: of the form that such a file has.
 */
export interface DescribedField {
  type?: string;
  enum?: string[];
  minimum?: number;
  maximum?: number;
  /** definition of an object */
  of?: string;
}

export interface DescribedObject {
  readonly required: string[];
  readonly fields: Record<string, DescribedField>;
}

export interface ApiDescription {
  readonly version: string;
  readonly definitions: Record<string, DescribedObject>;
  /** definition of each call's body, by "PUT /vsock" */
  readonly calls: Record<string, string>;
}

export function readApiDescription(text: string): ApiDescription {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !/^\s*#/.test(line));
  const start = lines.indexOf("definitions:");
  return {
    version: /^\s+version:\s*(\S+)/m.exec(text)?.[1] ?? "",
    definitions: readDefinitions(lines.slice(start + 1)),
    calls: readCalls(lines.slice(lines.indexOf("paths:") + 1, start)),
  };
}

const depthOf = (line: string): number => line.length - line.trimStart().length;
const referred = (line: string): string | undefined => /#\/definitions\/(\w+)/.exec(line)?.[1];

/** What stands below each key of a depth, with what stands beside it first. */
function groupBelow(lines: readonly string[], depth: number): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  let below: string[] = [];
  for (const line of lines) {
    const [, key, value = ""] = /^\s*([\w-]+):\s*(.*)$/.exec(line) ?? [];
    if (depthOf(line) === depth && key !== undefined) {
      below = [value];
      groups.set(key, below);
    } else below.push(line);
  }
  return groups;
}

function readDefinitions(lines: readonly string[]): Record<string, DescribedObject> {
  const definitions = [...groupBelow(lines, 2)].map(([name, body]) => {
    const parts = groupBelow(body, 4);
    const fields = [...groupBelow(parts.get("properties") ?? [], 6)].map(([field, of]) => {
      return [field, readField(of)] as const;
    });
    const required = readWords(parts.get("required") ?? []);
    return [name, { required, fields: Object.fromEntries(fields) }] as const;
  });
  return Object.fromEntries(definitions);
}

/** A list, in brackets or with a line for each. */
function readWords(lines: readonly string[]): string[] {
  const items = lines.map((line) => line.replace(/^\s*-\s/, "")).join(",");
  return items.split(/[[\],\s"]+/).filter((word) => word !== "");
}

function readField(lines: readonly string[]): DescribedField {
  const parts = groupBelow(lines, 8);
  const one = (name: string): string | undefined => parts.get(name)?.[0];
  const [type, minimum, maximum, words] = ["type", "minimum", "maximum", "enum"].map(one);
  const of = lines.filter((line) => depthOf(line) === 8).map(referred);
  return {
    ...given("type", type),
    ...given(
      "of",
      of.find((name) => name !== undefined),
    ),
    ...given("minimum", minimum && Number(minimum)),
    ...given("maximum", maximum && Number(maximum)),
    ...given("enum", words === undefined ? undefined : readWords(parts.get("enum") ?? [])),
  };
}

function given(name: string, value: unknown): object {
  return value === undefined ? {} : { [name]: value };
}

function readCalls(lines: readonly string[]): Record<string, string> {
  const calls: Record<string, string> = {};
  let [path, method, isBody] = ["", "", false];
  for (const line of lines) {
    const depth = depthOf(line);
    if (depth === 2) path = line.trim().replace(/:$/, "");
    else if (depth === 4) method = line.trim().replace(/:$/, "").toUpperCase();
    else if (/^\s*responses:/.test(line)) isBody = false;
    else if (/^\s*parameters:/.test(line)) isBody = true;
    const of = isBody ? referred(line) : undefined;
    if (of !== undefined) calls[`${method} ${path}`] = of;
  }
  return calls;
}
