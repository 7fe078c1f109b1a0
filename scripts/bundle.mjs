/**
 * Joins the modules that the command line is made of: a start reads some fifty files and not three hundred.
 * dist/ as the compiler wrote it stays what programs import. The packages that are joined with them keep
 * their licences, in dist/program/licences.txt; those with native code, WebAssembly or a state that a
 * program may share stay packages.
 */
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const output = join(root, "dist/program");
const joined = [
  "canonicalize",
  "commander",
  "diff",
  "fzstd",
  "ignore",
  "picomatch",
  "ulid",
  "valibot",
];
const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const apart = Object.keys(dependencies).filter((name) => !joined.includes(name));

rmSync(output, { recursive: true, force: true });
const bundle = await rolldown({
  // what is started as a program of its own is a file of its own
  input: {
    main: join(root, "dist/cli/main.js"),
    "hold-machine": join(root, "dist/runtime/kept/hold-machine.js"),
    "echo-server": join(root, "dist/bench/mcp/echo-server.js"),
    "peer-process": join(root, "dist/bench/mcp/peer-process.js"),
  },
  platform: "node",
  external: [/^node:/, ...apart.map((name) => new RegExp(`^${name}(/|$)`))],
});
await bundle.write({ dir: output, format: "esm", chunkFileNames: "[name]-[hash].js" });

const licences = joined.map((name) => {
  const folder = join(root, "node_modules", name);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  if (file === undefined) throw new Error(`${name} has no licence to pass on`);
  return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
});
writeFileSync(join(output, "licences.txt"), licences.join(`\n${"-".repeat(72)}\n\n`));
