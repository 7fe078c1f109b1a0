/** Any text as a file of MCP servers is servers or a refusal that names the file; never a crash. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { LuminaGuardError } from "../../src/errors.ts";
import { readServers } from "../../src/mcp/config/read-servers.ts";

/** with halves of surrogate pairs, which JSON can carry and Unicode cannot */
const word = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string(),
  fc.constantFrom("\ud800", "a\udfff", "\0", "__proto__", "constructor", "toString", "${HOME}", ""),
);
/** neither a parser's nor a hasher's stack holds so much */
const deep = fc
  .record({ depth: fc.constantFrom(1, 100, 4000, 20_000), isList: fc.boolean() })
  .map(({ depth, isList }) => {
    return isList
      ? `${"[".repeat(depth)}${"]".repeat(depth)}`
      : `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
  });
const keys = [
  ...["command", "args", "env", "cwd", "url", "headers", "type", "luminaguard", "image", "urls"],
  ...["harmless", "destructive", "oauth", "retry", "tls", "breaker", "timeouts", "__proto__"],
];
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    word.map((text) => JSON.stringify(text)),
    fc.jsonValue({ stringUnit: "binary" }).map((each) => JSON.stringify(each)),
    deep,
    fc.array(tie("value"), { maxLength: 3 }).map((all) => `[${all.join(",")}]`),
    object(fc.oneof(fc.constantFrom(...keys), word), tie("value")),
  ),
}));
/** as text: an object could not hold two members of one name */
function object(key: fc.Arbitrary<string>, member: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .array(fc.tuple(key, member), { maxLength: 4 })
    .map((all) => `{${all.map(([name, each]) => `${JSON.stringify(name)}:${each}`).join(",")}}`);
}
/** close to what other clients write, so that what stands behind the first check is reached too */
const likely = fc
  .tuple(
    fc.constantFrom('"command":"run"', '"url":"https://mcp.example/mcp"'),
    fc.array(fc.tuple(fc.oneof(fc.constantFrom("extra", "env", "luminaguard"), word), value), {
      maxLength: 3,
    }),
  )
  .map(([first, more]) => {
    const rest = more.map(([name, each]) => `,${JSON.stringify(name)}:${each}`).join("");
    return `{${first}${rest}}`;
  });
const file = object(word, fc.oneof(likely, value)).map((servers) => `{"mcpServers":${servers}}`);
const texts = fc.oneof(
  { weight: 6, arbitrary: file },
  { weight: 1, arbitrary: value },
  { weight: 1, arbitrary: word },
  {
    weight: 1,
    arbitrary: fc
      .tuple(file, fc.nat({ max: 200 }), fc.nat({ max: 20 }), word)
      .map(([text, at, cut, more]) => text.slice(0, at) + more + text.slice(at + cut)),
  },
);

it("any text is servers that are named and digested, or CONFIG_INVALID", () => {
  const seen = { servers: 0, refused: 0, unnameable: 0 };
  fc.assert(
    fc.property(texts, fc.boolean(), (text, isTrusted) => {
      try {
        for (const [name, entry] of readServers(text, "f.json", isTrusted)) {
          expect(entry.name).toBe(name);
          expect(entry.digest).toMatch(/^[0-9a-f]{64}$/);
          if (!isTrusted) expect(entry.tools).toEqual({ harmless: [], destructive: [] });
          seen.servers += 1;
        }
      } catch (error) {
        expect(error).toBeInstanceOf(LuminaGuardError);
        expect(error).toMatchObject({ code: "CONFIG_INVALID" });
        const { message } = error as LuminaGuardError;
        expect(message).toContain("f.json");
        expect(message.isWellFormed()).toBe(true);
        if (message.includes("no Unicode")) seen.unnameable += 1;
        seen.refused += 1;
      }
    }),
    { numRuns: 1500 },
  );
  expect(Math.min(seen.servers, seen.refused, seen.unnameable)).toBeGreaterThan(20);
});
