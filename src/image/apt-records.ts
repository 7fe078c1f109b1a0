/** Reads what apt prints: package records in Debian's control format, and lists of archives. */
import { LuminaGuardError } from "../errors.ts";
import type { SourceReference } from "./manifest.ts";

export interface AptPackage {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** of the .deb file, as the signed package lists state it */
  readonly sha256: string;
  readonly bytes: number;
  readonly source: SourceReference;
  readonly builtUsing: readonly SourceReference[];
  /** the `Depends` field as it stands */
  readonly depends: string;
}

/** One record a paragraph (deb822: `Field: value`, continued lines begin with a space). */
export function parseRecords(text: string): Map<string, string>[] {
  return text
    .split(/\n\s*\n/)
    .map((paragraph) => parseFields(paragraph))
    .filter((fields) => fields.size > 0);
}

function parseFields(paragraph: string): Map<string, string> {
  const fields = new Map<string, string>();
  let last: string | undefined;
  for (const line of paragraph.split("\n")) {
    const match = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line);
    if (match?.[1] !== undefined) {
      last = match[1];
      fields.set(last, match[2] ?? "");
    } else if (last !== undefined && /^[ \t]/.test(line)) {
      fields.set(last, `${fields.get(last) ?? ""}\n${line.trim()}`);
    }
  }
  return fields;
}

/** The package a record describes; IMAGE_BUILD_FAILED where a field is missing. */
export function parseAptPackage(fields: ReadonlyMap<string, string>): AptPackage {
  const need = (field: string): string => {
    const value = fields.get(field);
    if (value === undefined || value === "") {
      const name = fields.get("Package") ?? "a package";
      throw new LuminaGuardError("IMAGE_BUILD_FAILED", `apt's record of ${name} has no ${field}`, {
        hint: "refresh the package lists: sudo apt-get update",
      });
    }
    return value;
  };
  const name = need("Package");
  const version = need("Version");
  const sha256 = need("SHA256").toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw new LuminaGuardError("IMAGE_BUILD_FAILED", `apt's hash of ${name} is not a SHA-256`);
  return {
    name,
    version,
    arch: need("Architecture"),
    sha256,
    bytes: Number(need("Size")),
    source: parseSource(fields.get("Source"), name, version),
    builtUsing: parseBuiltUsing(fields.get("Built-Using") ?? ""),
    depends: fields.get("Depends") ?? "",
  };
}

/** `Source: name (version)`; either part is left out where it is the package's own. */
function parseSource(text: string | undefined, name: string, version: string): SourceReference {
  const match = /^(\S+)(?:\s+\((\S+)\))?$/.exec(text ?? "");
  // a binary rebuild (`+b1`) has the source of the version without it
  return { name: match?.[1] ?? name, version: match?.[2] ?? version.replace(/\+b\d+$/, "") };
}

function parseBuiltUsing(text: string): SourceReference[] {
  const found = [...text.matchAll(/(\S+)\s+\(=\s*([^)\s]+)\)/g)];
  return found.map(([, name = "", version = ""]) => ({ name, version }));
}

/**
 * Names and versions in what `apt-get --print-uris` prints, a line an archive:
 * `'URI' name_version_arch.deb bytes hash`, where `%3a` and its like stand for odd characters.
 */
export function parsePrintedUris(text: string): { name: string; version: string }[] {
  const found: { name: string; version: string }[] = [];
  for (const line of text.split("\n")) {
    const archive = /^'[^']*' ([^ ]+)\.deb \d+/.exec(line)?.[1];
    if (archive === undefined) continue;
    const [name, version] = archive.split("_").map(decodeURIComponent);
    if (name !== undefined && version !== undefined) found.push({ name, version });
  }
  return found;
}
