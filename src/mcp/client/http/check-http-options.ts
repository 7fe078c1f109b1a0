/** Reads a server's options as they are written, in a program or a file. */
import * as v from "valibot";
import { LuminaGuardError } from "../../../errors.ts";
import { parseTlsOptions } from "../tls/tls-options.ts";
import type { HttpOptions, HttpOptionsInput } from "./http-options.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const ms = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(86_400_000));
/** 0 is for ever */
const limitMs = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(86_400_000));
const headerName = v.pipe(
  v.string(),
  v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "not a header's name"),
);
const headerValue = v.pipe(
  v.string(),
  v.regex(/^[\t\x20-\x7e\x80-\xff]*$/, "not a header's value"),
);

const endpointSchema = v.strictObject({
  url: v.pipe(
    v.string(),
    v.url("not an address"),
    v.check(
      (text) => /^https?:$/.test(protocolOf(text)),
      "an address of a server begins with http:// or https://",
    ),
  ),
  weight: v.optional(v.pipe(v.number(), v.minValue(0.001), v.maxValue(1000)), 1),
});

const openTimes = { openMs: v.optional(ms, 5000), openMsMax: v.optional(ms, 60_000) };

const optionsSchema: v.GenericSchema<unknown, Omit<HttpOptions, "tls">> = v.strictObject({
  endpoints: v.pipe(v.array(endpointSchema), v.minLength(1), v.maxLength(64)),
  headers: v.optional(v.record(headerName, headerValue), {}),
  transport: v.optional(v.picklist(["auto", "streamable", "sse"]), "auto"),
  timeouts: v.optional(
    v.strictObject({
      connectMs: v.optional(ms, 5000),
      tlsMs: v.optional(ms, 5000),
      firstByteMs: v.optional(limitMs, 60_000),
      idleMs: v.optional(limitMs, 45_000),
      totalMs: v.optional(ms, 60_000),
    }),
    {},
  ),
  retry: v.optional(
    v.strictObject({
      attempts: v.optional(v.pipe(count, v.maxValue(100)), 4),
      initialMs: v.optional(ms, 200),
      maxMs: v.optional(ms, 10_000),
      multiplier: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(10)), 2),
      budget: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0.2),
      trustAnnotations: v.optional(v.union([v.boolean(), v.array(v.string())]), false),
    }),
    {},
  ),
  balancing: v.optional(v.picklist(["round-robin", "least-in-flight", "weighted"]), "round-robin"),
  breaker: v.optional(
    v.union([
      v.literal(false),
      v.strictObject({
        mode: v.literal("consecutive"),
        failures: v.optional(count, 5),
        ...openTimes,
      }),
      v.strictObject({
        mode: v.literal("rate"),
        rate: v.optional(v.pipe(v.number(), v.minValue(0.01), v.maxValue(1)), 0.5),
        windowMs: v.optional(ms, 30_000),
        callsMin: v.optional(count, 10),
        ...openTimes,
      }),
    ]),
    { mode: "consecutive" },
  ),
  health: v.optional(
    v.union([
      v.literal(false),
      v.strictObject({ intervalMs: v.optional(ms, 15_000), timeoutMs: v.optional(ms, 5000) }),
    ]),
    {},
  ),
  limits: v.optional(
    v.strictObject({
      answerBytesMax: v.optional(count, 16 * 1024 * 1024),
      connectionsMax: v.optional(v.pipe(count, v.maxValue(1024)), 64),
    }),
    {},
  ),
});

/** Raises CONFIG_INVALID, naming each value that is wrong; what was given is not repeated. */
export function checkHttpOptions(input: HttpOptionsInput): HttpOptions {
  const { tls = {}, ...rest } = input;
  const result = v.safeParse(optionsSchema, rest);
  if (result.success) return deepFreeze({ ...result.output, tls: parseTlsOptions(tls) });
  const problems = result.issues.map((issue) => {
    const path = v.getDotPath(issue) ?? "options";
    return `${path}: ${issue.expected === null ? issue.message : `not ${issue.expected}`}`;
  });
  throw new LuminaGuardError("CONFIG_INVALID", `the server's options: ${problems.join("; ")}`, {
    hint: "see docs/mcp.md for each option and its values",
  });
}

function protocolOf(text: string): string {
  return URL.canParse(text) ? new URL(text).protocol : "";
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const each of Object.values(value)) deepFreeze(each);
  return Object.freeze(value);
}
