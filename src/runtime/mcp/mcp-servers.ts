/**
 * The MCP servers a person can name here: of a file they give, of their own `mcp.json`, and of the
 * project's `.mcp.json`, which is repository content and asked about first.
 */
import { join } from "node:path";
import { escapeText } from "../../base/escape-text.ts";
import { renderDidYouMean } from "../../base/nearest.ts";
import { readPlainFile } from "../../base/read-plain-file.ts";
import type { Config } from "../../config/config.ts";
import { LuminaGuardError } from "../../errors.ts";
import { readServers, serversFileBytesMax } from "../../mcp/config/read-servers.ts";
import type { ServerEntry } from "../../mcp/config/server-entry.ts";

/** Whose word an entry is: `given` on the command line, the person's `own` file, the `project`'s. */
export type ServerOrigin = "given" | "own" | "project";

export interface NamedServer {
  readonly entry: ServerEntry;
  readonly origin: ServerOrigin;
  /** path of the file it stands in */
  readonly file: string;
}

export interface FindServersOptions {
  readonly config: Pick<Config, "configDir">;
  /** the folder whose `.mcp.json` is looked at */
  readonly folder: string;
  /** only this file, which the person names */
  readonly file?: string | undefined;
}

/** All of them; where two have one name the person's own counts. Raises CONFIG_INVALID. */
export async function findServers(options: FindServersOptions): Promise<readonly NamedServer[]> {
  const { config, folder, file } = options;
  if (file !== undefined) return readFile(file, "given");
  const own = await readFile(join(config.configDir, "mcp.json"), "own");
  const project = await readFile(join(folder, ".mcp.json"), "project");
  const taken = new Set(own.map(({ entry }) => entry.name));
  return [...own, ...project.filter(({ entry }) => !taken.has(entry.name))];
}

/** Raises CONFIG_INVALID with the nearest names when there is no such server. */
export async function findServer(name: string, options: FindServersOptions): Promise<NamedServer> {
  const all = await findServers(options);
  const found = all.find(({ entry }) => entry.name === name);
  if (found !== undefined) return found;
  const names = all.map(({ entry }) => entry.name);
  throw new LuminaGuardError(
    "CONFIG_INVALID",
    `no MCP server named ${JSON.stringify(escapeText(name))}`,
    {
      hint: renderDidYouMean(name, names) ?? "luminaguard mcp ls  shows those there are",
    },
  );
}

async function readFile(path: string, origin: ServerOrigin): Promise<readonly NamedServer[]> {
  const text = await readPlainFile(path, {
    bytesMax: serversFileBytesMax,
    followsLink: origin !== "project",
    refuse: (why, cause) => new LuminaGuardError("CONFIG_INVALID", `${path} ${why}`, { cause }),
  });
  if (text === undefined) {
    if (origin !== "given") return [];
    throw new LuminaGuardError("CONFIG_INVALID", `there is no file ${path}`);
  }
  const servers = readServers(text, path, origin !== "project");
  return [...servers.values()].map((entry) => ({ entry, origin, file: path }));
}
