/** The table of promises by backend in SPECIFICATION.md is the conformance suite; UPDATE=1 writes it anew. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { describe, expect, it } from "vitest";
import { projectFolder, readProjectFile } from "../support/repository.ts";

const start = "<!-- conformance: begin -->";
const end = "<!-- conformance: end -->";
const suite = "test/conformance/describe-hypervisor.ts";

interface Run {
  readonly file: string;
  readonly name: string;
  /** why it is not asked to save and restore machines, where it is not */
  readonly noSaves?: string;
}

/** A backend's run of the suite, or why there is none. */
type Column = readonly [title: string, run: Run | { readonly why: string }];

const qemu = { file: "test/e2e/qemu-conformance.test.ts", name: "qemu with templates" };
const arm64 = {
  file: "test/e2e/arm64.test.ts",
  name: "qemu on arm64 with templates",
  noSaves: "emulated arm64 is slow, and its code is that of x64",
};
const vfkit = {
  file: "test/e2e/vfkit-conformance.test.ts",
  name: "vfkit, a stand-in",
  noSaves: "vfkit saves no machine",
};
const firecracker = "firecracker with templates, on a stand-in that emulates its machines";
const notHere = { why: "its hardware is not in CI" };

const columns: readonly Column[] = [
  ["qemu/tcg x64", qemu],
  ["qemu/tcg arm64", arm64],
  ["qemu/kvm", { why: "runs as qemu/tcg does where its canary boots" }],
  [
    "firecracker, stand-in",
    { file: "test/e2e/firecracker-conformance.test.ts", name: firecracker },
  ],
  ["firecracker/kvm", { why: "no KVM in CI boots a machine" }],
  ["vfkit, stand-in", vfkit],
  ["vfkit/vz", notHere],
  ["qemu/hvf", notHere],
  ["qemu/whpx", notHere],
];

interface Promised {
  readonly title: string;
  /** of the facet of saving and restoring */
  readonly isOfSaves: boolean;
}

function listPromises(): readonly Promised[] {
  const text = readProjectFile(suite);
  const savesFrom = text.indexOf("function describeSaves");
  return [...text.matchAll(/^ +it\("([^"]+)"/gm)].map(({ index, 1: title = "" }) => {
    return { title, isOfSaves: index > savesFrom };
  });
}

function whyNot(run: Column[1], { isOfSaves }: Promised): string | undefined {
  if ("why" in run) return run.why;
  return isOfSaves ? run.noSaves : undefined;
}

function renderTable(): Promise<string> {
  const promises = listPromises();
  const reasons: string[] = [];
  const cellOf = (why: string | undefined): string => {
    if (why === undefined) return "pass";
    if (!reasons.includes(why)) reasons.push(why);
    return `skipped ${String(reasons.indexOf(why) + 1)}`;
  };
  const rows = [
    ["a machine of this backend", ...columns.map(([title]) => title)],
    ["-", ...columns.map(() => "-")],
    ...promises.map((promise) => [
      promise.title,
      ...columns.map(([, run]) => cellOf(whyNot(run, promise))),
    ]),
  ];
  const notes = reasons.map((why, at) => `- skipped ${String(at + 1)}: ${why}`);
  const table = rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
  return format(`${table}\n\n${notes.join("\n")}`, { parser: "markdown" });
}

describe("the table of promises by backend", () => {
  it("stands in SPECIFICATION.md as the suite and its runs are", async () => {
    const page = readProjectFile("SPECIFICATION.md");
    const [before, rest = ""] = page.split(start);
    const [written, after] = rest.split(end);
    const table = `\n\n${await renderTable()}\n`;
    if (process.env["UPDATE"] === "1") {
      const text = `${before}${start}${table}${end}${after}`;
      writeFileSync(join(projectFolder, "SPECIFICATION.md"), text);
    } else expect(written).toBe(table);
  });

  it.each(columns.flatMap(([title, run]) => ("file" in run ? [[title, run] as const] : [])))(
    "says pass of %s because a test runs the suite with it",
    (_title, { file, name, noSaves }) => {
      const text = readProjectFile(file);
      const from = text.indexOf(`describeHypervisor("${name}"`);
      expect(from).toBeGreaterThan(0);
      const call = text.slice(from, text.indexOf("\n});", from));
      expect(call.includes("saves: {")).toBe(noSaves === undefined);
    },
  );

  it("has a row for each promise of the suite", () => {
    expect(listPromises().length).toBeGreaterThan(15);
  });
});
