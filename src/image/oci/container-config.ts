/** How an image wants its program run: what of its configuration a machine honours. */
import { posix } from "node:path";
import type { ContainerConfig } from "../manifest.ts";
import type { OciConfig } from "./descriptor.ts";
import { invalidImage, quote } from "./invalid.ts";
import type { LayerTree } from "./layer-tree.ts";

/** Reads a small file of the tree; undefined where there is none. */
export type ReadTreeFile = (path: string) => Promise<string | undefined>;

/** all words and variables together, in `bytes`; a program's start has room for 2 MiB (ARG_MAX) */
const textBytesMax: number = 512 * 1024;

/** Users and groups by name are looked up in the image's own files; its working folder is made. */
export async function describeContainer(
  { config }: OciConfig,
  tree: LayerTree,
  read: ReadTreeFile,
): Promise<ContainerConfig> {
  const { Entrypoint, Cmd, Env, User, WorkingDir } = config ?? {};
  const entrypoint = Entrypoint ?? [];
  const cmd = Cmd ?? [];
  const variables = (Env ?? []).flatMap((text): [string, string][] => {
    const at = text.indexOf("=");
    return at > 0 ? [[text.slice(0, at), text.slice(at + 1)]] : [];
  });
  const texts = [...entrypoint, ...cmd, ...variables.flat()];
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > textBytesMax) throw invalidImage("its command and variables are over 512 KiB");
  if (texts.some((text) => text.includes("\0")))
    throw invalidImage("its command or a variable has a NUL in it");
  const workdir = posix.resolve("/", WorkingDir ?? "");
  tree.makeFolder(workdir);
  return {
    entrypoint,
    cmd,
    env: Object.fromEntries(variables),
    user: await resolveUser(User ?? "", read),
    workdir,
  };
}

/** `user[:group]`, each a name or a number, as numbers: `uid:gid`. */
async function resolveUser(text: string, read: ReadTreeFile): Promise<string> {
  const [name = "", group = ""] = text.split(":", 2);
  const user = name === "" ? "0" : name;
  const entry = findRow(parseTable(await read("etc/passwd")), user);
  const uid = requireId(entry?.[2] ?? user, `its user ${quote(user)} is not in its /etc/passwd`);
  // a number that has no name is in group 0, as container tools have it
  if (group === "") return `${uid}:${requireId(entry?.[3] ?? "0", "its /etc/passwd is broken")}`;
  const row = findRow(parseTable(await read("etc/group")), group);
  const gid = requireId(row?.[2] ?? group, `its group ${quote(group)} is not in its /etc/group`);
  return `${uid}:${gid}`;
}

function parseTable(text = ""): string[][] {
  return text.split("\n").map((line) => line.split(":"));
}

/** By name, else by number: the third column of both tables. */
function findRow(rows: readonly string[][], key: string): string[] | undefined {
  return rows.find(([name]) => name === key) ?? rows.find((row) => row[2] === key);
}

function requireId(text: string, otherwise: string): string {
  if (/^\d{1,10}$/.test(text) && Number(text) <= 0xffff_fffe) return text;
  throw invalidImage(otherwise);
}
