/** What comes with the package: the schema, and a policy for each preset. */
import { readFile } from "node:fs/promises";
import { packageRoot } from "../base/package-root.ts";
import { LuminaGuardError } from "../errors.ts";
import type { PolicyFile } from "./policy-file.ts";

/** From what shows most to what asks most. */
export const presets = ["observe", "balanced", "locked"] as const;
export type Preset = (typeof presets)[number];

const folder = new URL("policy/", packageRoot);

/** Text of the Cedar schema that every rule is checked against. */
export function readSchema(): Promise<string> {
  return readFile(new URL("schema.cedarschema", folder), "utf8");
}

/** Raises POLICY_INVALID for a name that is no preset. */
export async function readPreset(name: string): Promise<PolicyFile> {
  const preset = presets.find((each) => each === name);
  if (preset === undefined) {
    throw new LuminaGuardError("POLICY_INVALID", `there is no preset "${name}"`, {
      hint: `use ${presets.join(", ")}`,
    });
  }
  const file = `${preset}.cedar`;
  return { name: file, text: await readFile(new URL(file, folder), "utf8"), origin: "shipped" };
}
