/** Values of variables and headers are often secrets: the audit keeps their names only. */
import type { AuditFacts, AuditValue } from "./audit-entry.ts";

const withheld = /^(env|environment|headers)$/i;

/** The facts with names in the place of the values of `env`, `environment` and `headers`, at any depth. */
export function redactFacts(facts: AuditFacts): AuditFacts {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name,
      withheld.test(name) ? namesOf(value) : redactValue(value),
    ]),
  );
}

function redactValue(value: AuditValue): AuditValue {
  if (Array.isArray(value)) return value.map(redactValue);
  return isFacts(value) ? redactFacts(value) : value;
}

/** Only an object says for certain which part of it is a name; of anything else only the count is kept. */
function namesOf(value: AuditValue): AuditValue {
  if (isFacts(value)) return Object.keys(value).sort();
  return { withheld: Array.isArray(value) ? value.length : value === null ? 0 : 1 };
}

function isFacts(value: AuditValue): value is AuditFacts {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
