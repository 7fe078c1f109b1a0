/**
 * Makes an image to boot from of a base image and the layers of an image from outside: kernel,
 * initramfs with the guest agent and licences are the base's, the root is the layers' and nothing else.
 */
import { constants } from "node:fs";
import { appendFile, chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { encodeCpio } from "../cpio.ts";
import { describeFiles } from "../describe-files.ts";
import { encodeManifest, initramfsName, manifestName, rootLayerName } from "../manifest.ts";
import type { ContainerConfig, ImageManifest } from "../manifest.ts";
import { createSquashfs } from "../squashfs.ts";
import type { SquashfsWriter } from "../squashfs.ts";
import { applyLayers } from "./apply-layers.ts";
import type { LayerSource } from "./apply-layers.ts";
import { describeContainer } from "./container-config.ts";
import type { OciConfig } from "./descriptor.ts";
import { applyFolder } from "./folder-layer.ts";
import { createLayerTree } from "./layer-tree.ts";
import type { LayerTree } from "./layer-tree.ts";
import type { OciLimits } from "./limits.ts";
import { writeTree } from "./write-tree.ts";

/** What is to be the root of a machine. */
export interface RootSource {
  readonly config: OciConfig;
  readonly content:
    | { readonly layers: AsyncIterable<LayerSource> }
    /** path of a folder with the files as they are to be */
    | { readonly folder: string };
}

interface BuildOciImageOptions {
  readonly source: RootSource;
  readonly base: { readonly folder: string; readonly manifest: ImageManifest };
  /** where the image's files come, made here */
  readonly outputFolder: string;
  readonly limits: OciLimits;
  readonly signal?: AbortSignal | undefined;
}

/** 2 January 1980 UTC: the time of what no layer brought; zip archives begin in 1980 */
const ownTimeS = 315_619_200;
/** of the files that are read to find users and hosts, in `bytes` */
const tableBytesMax: number = 1024 * 1024;
/**
 * The guest agent's note that the disk is all there is, with the owner of the workspace
 * (guest/internal/boot/root.go).
 */
const rootNote = "etc/luminaguard/root";

/** The manifest's bytes. Raises IMAGE_INVALID. */
export async function buildOciImage(options: BuildOciImageOptions): Promise<Buffer> {
  const { base, outputFolder } = options;
  await mkdir(outputFolder, { mode: 0o700 });
  const container = await buildRoot(options, join(outputFolder, rootLayerName));
  for (const { path } of base.manifest.files) {
    if (path === rootLayerName) continue;
    const target = join(outputFolder, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await copyFile(join(base.folder, path), target, constants.COPYFILE_FICLONE);
    await chmod(target, 0o644);
  }
  // the kernel unpacks archives that follow each other as if they were one
  await appendFile(join(outputFolder, initramfsName), encodeNote(container.user));
  const manifest: ImageManifest = {
    ...base.manifest,
    kind: "oci",
    requested: [],
    packages: base.manifest.packages.filter(({ use }) => use !== "layer"),
    files: await describeFiles(outputFolder),
    container,
  };
  const bytes = encodeManifest(manifest);
  await writeFile(join(outputFolder, manifestName), bytes, { mode: 0o644 });
  return bytes;
}

async function buildRoot(options: BuildOciImageOptions, path: string): Promise<ContainerConfig> {
  const { source, limits, signal } = options;
  const tree = createLayerTree(ownTimeS);
  const contents = await createSquashfs(path, ownTimeS);
  try {
    const into = { tree, contents };
    if ("folder" in source.content)
      await applyFolder(source.content.folder, into, { limits, signal });
    else await applyLayers(source.content.layers, into, { limits, signal });
    const read = createReader(tree, contents);
    const container = await describeContainer(source.config, tree, read);
    await addHosts(tree, contents, read);
    await writeTree(tree.root, contents);
    await contents.finish();
    return container;
  } catch (error) {
    await contents.abandon();
    throw error;
  }
}

function createReader(
  tree: LayerTree,
  contents: SquashfsWriter,
): (path: string) => Promise<string | undefined> {
  return async (path) => {
    const node = tree.find(path);
    if (node?.kind !== "file" || node.extent.bytes > tableBytesMax) return undefined;
    return (await contents.read(node.extent)).toString("utf8");
  };
}

/** Images leave this file to whoever runs them; without it "localhost" is no name. */
async function addHosts(
  tree: LayerTree,
  contents: SquashfsWriter,
  read: (path: string) => Promise<string | undefined>,
): Promise<void> {
  const there = await read("etc/hosts");
  const text = Buffer.from("127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
  if ((there ?? "").trim() !== "" || tree.find("etc/hosts")?.kind === "directory") return;
  const extent = await contents.append(pieces(text), text.length);
  const own = { mode: 0o644, uid: 0, gid: 0, mtimeS: ownTimeS, xattrs: new Map<string, Buffer>() };
  const header = { kind: "file", path: "etc/hosts", target: "", device: [0, 0] } as const;
  tree.add({ ...own, ...header, bytes: text.length }, extent);
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes);
}

function encodeNote(user: string): Buffer {
  return encodeCpio([
    { kind: "directory", path: "etc" },
    { kind: "directory", path: dirname(rootNote) },
    { kind: "file", path: rootNote, content: Buffer.from(`${user}\n`) },
  ]);
}
