/**
 * Reads the `mcpServers` JSON that other clients have. What only they know is left alone; what is ours
 * stands under `luminaguard`, and there a word that is not known is an error.
 */
import * as v from "valibot";
import { escapeText } from "../../base/escape-text.ts";
import { LuminaGuardError } from "../../errors.ts";
import { digestJson } from "./digest-json.ts";
import type { HttpOptionsInput } from "../client/http/http-options.ts";
import type { HttpEntry, ServerEntry, StdioEntry, ToolWords } from "./server-entry.ts";

/** largest file that is read, in bytes */
export const serversFileBytesMax: number = 1024 * 1024;
const serversMax = 500;

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(128));
const texts = v.record(v.string(), v.string());
const names = v.array(v.string());

const ownSchema = v.strictObject({
  image: v.optional(v.string()),
  harmless: v.optional(names),
  destructive: v.optional(names),
  urls: v.optional(v.pipe(names, v.minLength(1))),
  oauth: v.optional(v.record(v.string(), v.unknown())),
  timeouts: v.optional(v.record(v.string(), v.unknown())),
  retry: v.optional(v.record(v.string(), v.unknown())),
  balancing: v.optional(v.string()),
  breaker: v.optional(v.unknown()),
  health: v.optional(v.unknown()),
  limits: v.optional(v.record(v.string(), v.unknown())),
  tls: v.optional(v.record(v.string(), v.unknown())),
});

const entrySchema = v.looseObject({
  type: v.optional(v.string()),
  command: v.optional(v.pipe(v.string(), v.minLength(1))),
  args: v.optional(names),
  env: v.optional(texts),
  cwd: v.optional(v.string()),
  url: v.optional(v.string()),
  headers: v.optional(texts),
  luminaguard: v.optional(ownSchema, {}),
});
type RawEntry = v.InferOutput<typeof entrySchema>;

const fileSchema = v.pipe(
  v.unknown(),
  v.check((value) => !Array.isArray(value)),
  v.looseObject({ mcpServers: v.optional(v.record(name, v.unknown()), {}) }),
);

/**
 * The servers of a file, by name. Raises CONFIG_INVALID, naming the file and the entry; values are not
 * repeated, they may be secrets.
 * @param isTrusted whether the file is the person's own: only that one may call a tool harmless
 */
export function readServers(
  text: string,
  file: string,
  isTrusted: boolean,
): ReadonlyMap<string, ServerEntry> {
  const parsed = v.safeParse(fileSchema, parseJson(text, file));
  if (!parsed.success) throw invalid(file, "mcpServers", parsed.issues);
  const all = Object.entries(parsed.output.mcpServers);
  if (all.length > serversMax) {
    throw new LuminaGuardError("CONFIG_INVALID", `${file}: more than ${serversMax} servers`);
  }
  return new Map(all.map(([each, raw]) => [each, readEntry(each, raw, file, isTrusted)]));
}

function readEntry(name: string, raw: unknown, file: string, isTrusted: boolean): ServerEntry {
  const parsed = v.safeParse(entrySchema, raw);
  if (!parsed.success) throw invalid(file, name, parsed.issues);
  const each = parsed.output;
  const digest = digestJson(raw);
  if (digest === undefined) {
    const message = `${file}: ${escapeText(name)} is no Unicode, or nested too deep`;
    throw new LuminaGuardError("CONFIG_INVALID", message);
  }
  const whole = raw as Readonly<Record<string, unknown>>;
  const common = { name, tools: toolsOf(each, isTrusted), whole, digest };
  const { command, url, luminaguard: own } = each;
  const urls = own.urls ?? (url === undefined ? [] : [url]);
  if (command !== undefined && urls.length === 0)
    return { ...common, ...readProgram(each, command) };
  if (command === undefined && urls.length > 0) {
    return { ...common, ...readAddress(each, urls, isTrusted) };
  }
  throw new LuminaGuardError("CONFIG_INVALID", `${file}: ${escapeText(name)} is no server`, {
    hint: 'give it either "command" (a program) or "url" (an address)',
  });
}

/** Only the person's own file may call a tool harmless. */
function toolsOf({ luminaguard }: RawEntry, isTrusted: boolean): ToolWords {
  const { harmless = [], destructive = [] } = luminaguard;
  return isTrusted ? { harmless, destructive } : { harmless: [], destructive: [] };
}

function readProgram(each: RawEntry, command: string): StdioEntry {
  const { args = [], env = {}, cwd, luminaguard } = each;
  return { kind: "stdio", command, args, env, cwd, image: luminaguard.image };
}

function readAddress(each: RawEntry, urls: readonly string[], isTrusted: boolean): HttpEntry {
  const { headers = {}, type, luminaguard } = each;
  const transport = type === "sse" ? "sse" : "auto";
  const options = optionsOf(each, isTrusted);
  return { kind: "http", urls, headers, transport, options, oauth: luminaguard.oauth };
}

/** Checked when the server is made: their words are those of the library. */
function optionsOf({ luminaguard }: RawEntry, isTrusted: boolean): HttpOptionsInput {
  const { timeouts, retry, balancing, breaker, health, limits, tls } = luminaguard;
  // a repository does not decide whose word is taken for it that twice does no harm
  const safeRetry =
    isTrusted || retry === undefined ? retry : { ...retry, trustAnnotations: false };
  const given = { timeouts, retry: safeRetry, balancing, breaker, health, limits, tls };
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as unknown as HttpOptionsInput;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // the parser's own message repeats what stands there
    throw new LuminaGuardError("CONFIG_INVALID", `${file} is not JSON`, {
      hint: 'it holds one object: {"mcpServers": {"name": {"command": "…"}}}',
    });
  }
}

function invalid(
  file: string,
  entry: string,
  issues: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]],
): LuminaGuardError {
  const [issue] = issues;
  const path = v.getDotPath(issue) ?? "";
  const where = escapeText([entry, path].filter((each) => each !== "").join(": "));
  const expected = issue.expected ?? "something else";
  return new LuminaGuardError("CONFIG_INVALID", `${file}: ${where} should be ${expected}`, {
    hint: "see docs/mcp.md for what a server's entry may say",
  });
}
