/**
 * A repository's config as it goes into the machine: only what git needs to read the repository, each
 * value from a closed list. Remotes, credentials, filters, hooks paths and includes never pass.
 */

/** What may pass, and the values it may have. */
const safeSettings: ReadonlyMap<string, RegExp> = new Map([
  ["core.repositoryformatversion", /^[01]$/],
  ["core.filemode", /^(true|false)$/],
  ["core.autocrlf", /^(true|false|input)$/],
  ["core.eol", /^(lf|crlf|native)$/],
  ["core.sparsecheckout", /^(true|false)$/],
  ["core.sparsecheckoutcone", /^(true|false)$/],
  ["extensions.objectformat", /^(sha1|sha256)$/],
]);

export interface GitFacts {
  /** the config to send */
  readonly config: string;
  readonly idBytes: 20 | 32;
  readonly hasRemotes: boolean;
  /** whether refs are kept in files; another store is not understood */
  readonly plainRefs: boolean;
}

export function readGitConfig(text: string): GitFacts {
  const settings = parseSettings(text);
  const kept = new Map([
    ["core.repositoryformatversion", "0"],
    ["core.filemode", "true"],
    ["core.bare", "false"],
  ]);
  for (const [name, allowed] of safeSettings) {
    const value = settings.get(name)?.toLowerCase();
    if (value !== undefined && allowed.test(value)) kept.set(name, value);
  }
  const storage = settings.get("extensions.refstorage") ?? "files";
  return {
    config: render(kept),
    idBytes: kept.get("extensions.objectformat") === "sha256" ? 32 : 20,
    hasRemotes: [...settings.keys()].some((name) => name.startsWith("remote.")),
    plainRefs: storage === "files",
  };
}

function parseSettings(text: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  let section = "";
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[\s*([A-Za-z0-9.-]+)(?:\s+"([^"]*)")?\s*\](.*)$/.exec(line);
    if (header !== null) {
      section = (header[1] ?? "").toLowerCase() + (header[2] === undefined ? "" : `.${header[2]}`);
    }
    const setting = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*?)\s*)?$/.exec(header?.[3] ?? line);
    if (setting !== null && section !== "") {
      const value = (setting[2] ?? "true").replace(/\s*[#;].*$/, "").replace(/^"(.*)"$/, "$1");
      settings.set(`${section}.${(setting[1] ?? "").toLowerCase()}`, value);
    }
  }
  return settings;
}

function render(settings: ReadonlyMap<string, string>): string {
  const lines: string[] = [];
  for (const section of ["core", "extensions"]) {
    const own = [...settings].filter(([name]) => name.startsWith(`${section}.`));
    if (own.length === 0) continue;
    lines.push(`[${section}]`);
    for (const [name, value] of own) lines.push(`\t${name.slice(section.length + 1)} = ${value}`);
  }
  return `${lines.join("\n")}\n`;
}
