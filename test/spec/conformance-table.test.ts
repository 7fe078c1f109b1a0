/** The table of promises by backend in SPECIFICATION.md is the conformance suite; UPDATE=1 writes it anew. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { describe, expect, it } from "vitest";
import { projectFolder, readProjectFile } from "../support/repository.ts";

const start = "<!-- conformance: begin -->";
const end = "<!-- conformance: end -->";
const suite = "test/conformance/describe-hypervisor.ts";

/** A backend's run of the suite, or why there is none. */
type Column = readonly [
  title: string,
  run: { readonly file: string; readonly name: string } | { readonly why: string },
];

const qemu = { file: "test/e2e/qemu-conformance.test.ts", name: "qemu with templates" };
const firecracker = "firecracker with templates, on a stand-in that emulates its machines";
const notHere = { why: "its hardware is not in CI" };

const columns: readonly Column[] = [
  ["qemu/tcg x64", qemu],
  ["qemu/tcg arm64", { file: "test/e2e/arm64.test.ts", name: "qemu on arm64 with templates" }],
  ["qemu/kvm", { why: "runs as qemu/tcg does where its canary boots" }],
  [
    "firecracker, stand-in",
    { file: "test/e2e/firecracker-conformance.test.ts", name: firecracker },
  ],
  ["firecracker/kvm", { why: "no KVM in CI boots a machine" }],
  ["vfkit, stand-in", { file: "test/e2e/vfkit-conformance.test.ts", name: "vfkit, a stand-in" }],
  ["vfkit/vz", notHere],
  ["qemu/hvf", notHere],
  ["qemu/whpx", notHere],
];

function listPromises(): readonly string[] {
  return [...readProjectFile(suite).matchAll(/^ +it\("([^"]+)"/gm)].map(([, title = ""]) => title);
}

function renderTable(): Promise<string> {
  const reasons = [...new Set(columns.flatMap(([, run]) => ("why" in run ? [run.why] : [])))];
  const cells = columns.map(([, run]) =>
    "why" in run ? `skipped ${String(reasons.indexOf(run.why) + 1)}` : "pass",
  );
  const rows = [
    ["a machine of this backend", ...columns.map(([title]) => title)],
    ["-", ...columns.map(() => "-")],
    ...listPromises().map((promise) => [promise, ...cells]),
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
    (_title, { file, name }) => {
      expect(readProjectFile(file)).toContain(`describeHypervisor("${name}"`);
    },
  );

  it("has a row for each promise of the suite", () => {
    expect(listPromises().length).toBeGreaterThan(15);
  });
});
