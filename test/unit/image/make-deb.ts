/** Builds a small Debian package with dpkg-deb, so that tests need no archive. */
import { execFileSync } from "node:child_process";
import { chmodSync, linkSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

type DebNode =
  | { readonly text: string; readonly mode?: number }
  | { readonly symlink: string }
  | { readonly link: string };

const time = new Date("2024-05-06T07:08:09Z");

export function makeDeb(
  folder: string,
  name: string,
  nodes: Readonly<Record<string, DebNode>>,
): string {
  const root = join(folder, `${name}-root`);
  mkdirSync(join(root, "DEBIAN"), { recursive: true });
  const control = `Package: ${name}\nVersion: 1.0\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: test\n`;
  writeFileSync(join(root, "DEBIAN/control"), control);
  for (const [path, node] of Object.entries(nodes)) {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    if ("symlink" in node) symlinkSync(node.symlink, target);
    else if ("link" in node) linkSync(join(root, node.link), target);
    else {
      writeFileSync(target, node.text);
      chmodSync(target, node.mode ?? 0o644);
    }
    lutimesSync(target, time, time);
  }
  const deb = join(folder, `${name}.deb`);
  const options = { env: { PATH: process.env["PATH"], SOURCE_DATE_EPOCH: "1700000000" } };
  execFileSync("dpkg-deb", ["--root-owner-group", "-Znone", "--build", root, deb], options);
  return deb;
}
