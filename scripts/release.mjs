/**
 * Makes what is published: the package, and the base image as a package of its own,
 * packages/base-image-ARCH. Usage: node scripts/release.mjs [FOLDER [PACKAGES]]; prints the files it made.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { basePackageName } from "../dist/image/base-package.js";
import { createLuminaGuard } from "../dist/runtime/create-luminaguard.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const output = resolve(process.argv[2] ?? "release");
mkdirSync(output, { recursive: true });
const { version, license } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

const lumina = await createLuminaGuard();
const there = await lumina.host.openImage("base");
const isCurrent = await lumina.images.isCurrent(there);
const { folder, manifest } = isCurrent ? there : await lumina.images.build({ name: "base" });
const packages = resolve(process.argv[3] ?? join(root, "packages"));
const place = join(packages, `base-image-${manifest.arch}`);
rmSync(place, { recursive: true, force: true });
mkdirSync(place, { recursive: true });
cpSync(folder, join(place, "image"), { recursive: true });
const description = {
  name: basePackageName(manifest.arch),
  version,
  description: `LuminaGuard's base image for ${manifest.arch}: kernel, initramfs, licences and sources.`,
  license: `SEE LICENSE IN image/licences (${license} AND GPL-2.0-only AND others)`,
  files: ["image"],
};
writeFileSync(join(place, "package.json"), `${JSON.stringify(description, undefined, 2)}\n`);
for (const from of [root, place]) {
  const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", output];
  process.stdout.write(
    `${join(output, execFileSync("npm", args, { cwd: from, encoding: "utf8" }).trim())}\n`,
  );
}
await lumina[Symbol.asyncDispose]();
