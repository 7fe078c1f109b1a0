/** Every command and program in the documents does what a reader is told it does. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programPath } from "../support/cli.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";
import type { CodeBlock } from "../support/code-blocks.ts";

const root = new URL("../..", import.meta.url).pathname;
const pages = [
  "README.md",
  "docs/run.md",
  "docs/stop.md",
  "docs/vm.md",
  "docs/images.md",
  "docs/configuration.md",
  "docs/audit.md",
  "docs/policy.md",
  "docs/library.md",
  "docs/approvals.md",
  "docs/platforms.md",
  "docs/mcp.md",
];
/** `run --apply never` keeps changes: exit 10 is its success */
const keptChanges = 10;

let folder: string;
/** of its own: what a page stops is not somebody else's */
let runtimeDir: string;
beforeAll(async () => {
  await mkdir(join(root, ".cache"), { recursive: true });
  // below the package, so that `import "luminaguard"` means this package
  folder = await mkdtemp(join(root, ".cache/doc-"));
  runtimeDir = await mkdtemp(join(tmpdir(), "lg-"));
});
afterAll(async () => {
  for (const path of [folder, runtimeDir]) await rm(path, { recursive: true, force: true });
});

async function run(
  file: string,
  args: string[],
  cwd: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<{ code: number; stderr: string }> {
  const env = {
    ...process.env,
    PATH: `${dirname(programPath)}:${process.env["PATH"] ?? ""}`,
    LUMINAGUARD_RUNTIME_DIR: runtimeDir,
    ...variables,
  };
  try {
    const running = promisify(execFile)(file, args, { cwd, env, timeout: 300_000 });
    running.child.stdin?.end(); // nobody is there to type
    const { stderr } = await running;
    return { code: 0, stderr };
  } catch (error) {
    const { code, stderr, stdout } = error as { code: number; stderr: string; stdout: string };
    return { code, stderr: stderr + stdout };
  }
}

const documents = await Promise.all(
  pages.map(async (page) => ({ page, ...split(await readCodeBlocks(join(root, page))) })),
);

it("programs in the documents compile", { timeout: 300_000 }, async () => {
  const written = documents.flatMap(({ page, programs }) =>
    programs.map(({ code }, index) => ({ path: sourceOf(page, index), code })),
  );
  for (const { path, code } of written) await writeFile(path, code);
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const target = "--module nodenext --target es2022 --lib es2023,esnext.disposable".split(" ");
  const options = ["--ignoreConfig", "--rootDir", root, ...target, "--strict", "--types", "node"];
  const sources = written.map(({ path }) => path);
  const compiled = await run(process.execPath, [compiler, ...options, ...sources], root);
  expect(compiled).toEqual({ code: 0, stderr: "" });
});

describe.each(documents)("$page", ({ page, commands, programs }) => {
  it("has something to try", () => {
    expect(commands.length + programs.length).toBeGreaterThan(0);
  });

  it.each(commands)("%s", async (command) => {
    const project = await mkdtemp(join(folder, "project-"));
    await cp(join(root, "examples/shop"), project, { recursive: true });
    const { code, stderr } = await run("sh", ["-c", command], project, variablesOf(page));
    expect({ code, stderr }).toEqual({
      code: command.includes("--apply never") ? keptChanges : 0,
      stderr,
    });
  });

  it.each(programs.map((_program, index) => index + 1))("program %i runs", async (number) => {
    const program = sourceOf(page, number - 1).replace(/\.ts$/, ".js");
    expect(await run(process.execPath, [program], folder, variablesOf(page))).toMatchObject({
      code: 0,
    });
  });
});

function split(blocks: readonly CodeBlock[]): {
  readonly commands: readonly string[];
  readonly programs: readonly CodeBlock[];
} {
  const lines = blocks
    .filter(({ language }) => language === "sh")
    .flatMap(({ code }) => code.split("\n"));
  return {
    commands: lines.filter((line) => line.startsWith("luminaguard ")),
    programs: blocks.filter(({ language }) => language === "ts"),
  };
}

/** What a page keeps goes with the test. */
function variablesOf(page: string): Readonly<Record<string, string>> {
  return page === "docs/vm.md" ? { LUMINAGUARD_STATE_DIR: join(runtimeDir, "state") } : {};
}

function sourceOf(page: string, index: number): string {
  return join(folder, `${page.replaceAll("/", "-")}-${String(index)}.ts`);
}
