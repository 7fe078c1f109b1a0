/**
 * A tool's arguments as a person types them: `key=value`, the value read as the tool's schema wants it,
 * `key:=JSON` where it does not say. Checked against the schema before anything is sent.
 */
import type { JsonSchemaType, Tool } from "@modelcontextprotocol/client";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/client/validators/ajv";
import { escapeText } from "../../base/escape-text.ts";
import { renderDidYouMean } from "../../base/nearest.ts";
import { LuminaGuardError, messageOf } from "../../errors.ts";

export type ToolArguments = Readonly<Record<string, unknown>>;

/** Raises USAGE, saying which argument is wrong and what it should be. */
export function readArguments(
  tool: Tool,
  words: readonly string[],
  whole: string | undefined,
): ToolArguments {
  const given: Record<string, unknown> = whole === undefined ? {} : parseObject(whole);
  for (const word of words) {
    const [key, value] = readWord(tool, word);
    given[key] = value;
  }
  check(tool, given);
  return given;
}

function readWord(tool: Tool, word: string): readonly [string, unknown] {
  const match = /^([^=:]+?)(:?=)([^]*)$/.exec(word);
  if (match === null) {
    throw new LuminaGuardError("USAGE", `${escapeText(word)} is not an argument`, {
      hint: "write key=value, or key:=JSON",
    });
  }
  const [, key = "", sign, text = ""] = match;
  const schema = propertiesOf(tool)[key];
  if (schema === undefined && isClosed(tool)) throw unknownArgument(tool, key);
  return [key, sign === ":=" ? parseJson(key, text) : readAs(schema, text)];
}

/** By the property's own type; a text that is no such value is left for the check to refuse. */
function readAs(schema: unknown, text: string): unknown {
  const { type } = (schema ?? {}) as { readonly type?: unknown };
  const types = Array.isArray(type) ? (type as readonly unknown[]) : [type];
  if (types.includes("string") || type === undefined) return text;
  const isBare = types.some((each) => ["number", "integer"].includes(String(each)));
  if (isBare && text.trim() !== "" && !Number.isNaN(Number(text))) return Number(text);
  if (types.includes("boolean") && /^(true|false)$/.test(text)) return text === "true";
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function check(tool: Tool, given: ToolArguments): void {
  const unknown = Object.keys(given).find((key) => !(key in propertiesOf(tool)) && isClosed(tool));
  if (unknown !== undefined) throw unknownArgument(tool, unknown);
  const { required = [] } = tool.inputSchema;
  const missing = required.filter((key) => !(key in given));
  if (missing.length > 0) {
    throw new LuminaGuardError(
      "USAGE",
      `${tool.name} needs ${missing.map((key) => escapeText(key)).join(", ")}`,
      {
        hint: `add ${missing.map((key) => `${escapeText(key)}=…`).join(" ")}`,
      },
    );
  }
  const result = validate(tool, given);
  if (result === undefined) return;
  throw new LuminaGuardError("USAGE", `${tool.name}: ${escapeText(result)}`, {
    hint: `arguments: ${renderArguments(tool)}`,
  });
}

/** What is wrong with them; undefined where nothing is, or where the tool's schema cannot be read. */
function validate(tool: Tool, given: ToolArguments): string | undefined {
  try {
    const result = new AjvJsonSchemaValidator().getValidator(tool.inputSchema as JsonSchemaType)(
      given,
    );
    return result.valid ? undefined : result.errorMessage;
  } catch {
    return undefined; // the server will say what it wants
  }
}

/** Each argument with its type, those that must be given first. */
export function renderArguments(tool: Tool): string {
  const { required = [] } = tool.inputSchema;
  const all = Object.entries(propertiesOf(tool));
  const isNeeded = ([key]: readonly [string, unknown]): boolean => required.includes(key);
  const sorted = [...all.filter(isNeeded), ...all.filter((each) => !isNeeded(each))];
  if (sorted.length === 0) return "none";
  return sorted
    .map(([key, schema]) => {
      const { type } = (schema ?? {}) as { readonly type?: unknown };
      const word = `${escapeText(key)}=${escapeText(typeof type === "string" ? type : "JSON")}`;
      return required.includes(key) ? word : `[${word}]`;
    })
    .join(" ");
}

function propertiesOf(tool: Tool): Readonly<Record<string, unknown>> {
  return tool.inputSchema.properties ?? {};
}

/** A schema that names its properties and says nothing of others means these; a typing slip is no new one. */
function isClosed({ inputSchema }: Tool): boolean {
  const { additionalProperties, properties = {} } = inputSchema;
  if (additionalProperties === undefined) return Object.keys(properties).length > 0;
  return additionalProperties === false;
}

function unknownArgument(tool: Tool, key: string): LuminaGuardError {
  const message = `${tool.name} has no argument ${escapeText(key)}`;
  const near = renderDidYouMean(key, Object.keys(propertiesOf(tool)));
  return new LuminaGuardError("USAGE", message, {
    hint: near ?? `arguments: ${renderArguments(tool)}`,
  });
}

function parseObject(text: string): Record<string, unknown> {
  const parsed = parseJson("--args", text);
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
    return { ...parsed };
  }
  throw new LuminaGuardError("USAGE", "--args is not a JSON object", {
    hint: `--args '{"key": "value"}'`,
  });
}

function parseJson(key: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new LuminaGuardError("USAGE", `${escapeText(key)} is not JSON: ${messageOf(cause)}`, {
      cause,
    });
  }
}
