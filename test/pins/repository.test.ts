/** Tests of the project itself: names, sizes, papers. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { listTrackedFiles, readPackageFile, readProjectFile } from "../support/repository.ts";

const files = listTrackedFiles();
const typescript = files.filter((path) => /^(src|test|scripts)\/.*\.ts$/.test(path));
const pages = files.filter((path) => path.endsWith(".md"));

describe("files", () => {
  it("are seen by these tests", () => {
    expect(typescript.length).toBeGreaterThan(150);
    expect(pages.length).toBeGreaterThan(5);
  });

  it("of TypeScript are named in kebab-case", () => {
    const name = /^[a-z0-9]+(-[a-z0-9]+)*(\.types)?(\.test)?\.ts$/;
    expect(typescript.filter((path) => !name.test(path.split("/").at(-1) ?? ""))).toEqual([]);
  });

  it("have no name that says nothing", () => {
    const empty = /(^|\/)(utils?|helpers?|common|misc|types|constants)(\.ts|\/)/;
    expect(typescript.filter((path) => empty.test(path))).toEqual([]);
  });

  it("of TypeScript have 400 lines at most", () => {
    const long = typescript.filter((path) => readProjectFile(path).split("\n").length > 401);
    expect(long).toEqual([]);
  });

  it("name no host that is not named here", () => {
    const found = files
      .filter((path) => !/^(LICENSE|(test\/interop\/)?package-lock.json|guest\/.*)$/.test(path))
      .flatMap((path) => [...readProjectFile(path).matchAll(/https?:\/\/([\w.-]+\.[a-z]{2,})/g)])
      .map(([, host]) => host ?? "");
    const allowed = [
      // Docker Hub's two places, which the name docker.io stands for
      "auth.docker.io",
      "index.docker.io",
      "registry-1.docker.io",
      "keepachangelog.com",
      "mirror.example",
      "no-color.org",
      "semver.org",
      "snapshot.debian.org",
    ];
    const reserved = /\.(example|invalid|local|localhost)$/; // nobody's, by RFC 2606 and 6762
    expect(
      [...new Set(found)].filter((host) => !reserved.test(host) && !allowed.includes(host)),
    ).toEqual([]);
  });

  it("name no folder of the computer they were written on", () => {
    const places = [
      ["/ho", "me/(?!ada|you|u/|user)"],
      ["/wo", "rk/"],
      ["/ro", "ot/(?!\\.)"],
    ];
    const pattern = new RegExp(`["'\`\\s(](${places.map((parts) => parts.join("")).join("|")})`);
    const named = files.filter((path) => pattern.test(readProjectFile(path)));
    expect(named).toEqual([]);
  });
});

describe("the changelog", () => {
  const text = readProjectFile("CHANGELOG.md");
  const headings = [...text.matchAll(/^(#+) (.*)$/gm)].map(([, level = "", name = ""]) => ({
    level: level.length,
    name,
  }));

  it("has the form of Keep a Changelog", () => {
    expect(headings[0]).toEqual({ level: 1, name: "Changelog" });
    expect(headings[1]).toEqual({ level: 2, name: "[Unreleased]" });
    const versions = headings.filter(({ level }) => level === 2).slice(1);
    for (const { name } of versions) expect(name).toMatch(/^\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$/);
    const kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
    const sections = headings.filter(({ level }) => level > 2);
    expect(sections.filter(({ level, name }) => level !== 3 || !kinds.includes(name))).toEqual([]);
  });

  it("has something to say in each section", () => {
    const sections = text.split(/^### .*$/m).slice(1);
    expect(sections.filter((section) => !/^- \S/m.test(section))).toEqual([]);
  });
});

describe("package.json", () => {
  const pack = readPackageFile();

  it("pins every package exactly", () => {
    const all = Object.entries({ ...pack.dependencies, ...pack.devDependencies });
    expect(all.length).toBeGreaterThan(15);
    expect(all.filter(([, version]) => !/^\d+\.\d+\.\d+(-alpha\.\d+)?$/.test(version))).toEqual([]);
  });

  it("asks for Node 20.19 or later", () => {
    expect(pack.engines).toEqual({ node: ">=20.19" });
  });

  it("locks what it pins", () => {
    const lock = JSON.parse(readProjectFile("package-lock.json")) as {
      packages: Record<string, PackageLockEntry>;
    };
    expect(lock.packages[""]?.dependencies).toEqual(pack.dependencies);
    expect(lock.packages[""]?.devDependencies).toEqual(pack.devDependencies);
    const unverified = Object.entries(lock.packages).filter(
      ([path, entry]) => path !== "" && entry.integrity === undefined,
    );
    expect(unverified).toEqual([]);
  });

  it("needs no script of a package that is installed", () => {
    const { packages } = JSON.parse(readProjectFile("package-lock.json")) as {
      packages: Record<string, PackageLockEntry>;
    };
    const withScript = Object.entries(packages).filter(([, entry]) => entry.hasInstallScript);
    // its package brings what the script would build, and set-up has scripts off
    expect(withScript.map(([path]) => path)).toEqual(["node_modules/@photostructure/sqlite"]);
    expect(readProjectFile("scripts/setup.sh")).toMatch(/npm ci .*--ignore-scripts/);
  });
});

describe("the servers of test/interop/", () => {
  const read = (name: string): string => readProjectFile(`test/interop/${name}`);

  it("are pinned exactly and locked, wherever they are fetched from", () => {
    const { dependencies } = readPackageFile("test/interop/package.json");
    expect(Object.keys(dependencies).length).toBeGreaterThanOrEqual(12);
    const loose = Object.values(dependencies).filter((each) => !/^\d+\.\d+\.\d+$/.test(each));
    expect(loose).toEqual([]);
    const { packages } = JSON.parse(read("package-lock.json")) as {
      packages: Record<string, PackageLockEntry>;
    };
    expect(packages[""]?.dependencies).toEqual(dependencies);
    const others = Object.entries(packages).filter(([path]) => path !== "");
    expect(others.filter(([, each]) => each.integrity === undefined)).toEqual([]);
    expect(others.filter(([, each]) => each.resolved !== undefined)).toEqual([]);
  });

  it("in Python are pinned with all they need", () => {
    const lines = read("requirements.txt").trim().split("\n");
    expect(lines.filter((line) => !/^[\w.-]+==[\w.]+$/.test(line))).toEqual([]);
    expect(lines).toContainEqual(expect.stringMatching(/^mcp-server-time==/));
  });
});

interface PackageLockEntry {
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
}

describe("licences", () => {
  it("ours is Apache 2.0, to the letter", () => {
    expect(readPackageFile().license).toBe("Apache-2.0");
    const digest = createHash("sha256").update(readProjectFile("LICENSE")).digest("hex");
    expect(digest).toBe("cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30");
    expect(readPackageFile().files).toContain("LICENSE");
  });

  it("those of what we ship with are permissive", () => {
    const found = Object.keys(readPackageFile().dependencies).map(
      (name) => `${name} ${readPackageFile(`node_modules/${name}/package.json`).license}`,
    );
    expect(found).toEqual([
      "@cedar-policy/cedar-wasm Apache-2.0",
      "@modelcontextprotocol/client Apache-2.0",
      "@opentelemetry/api Apache-2.0",
      "@peculiar/x509 MIT",
      "@photostructure/sqlite MIT",
      "canonicalize Apache-2.0",
      "commander MIT",
      "diff BSD-3-Clause",
      "fzstd MIT",
      "highlight.js BSD-3-Clause",
      "ignore MIT",
      "picomatch MIT",
      "reflect-metadata Apache-2.0",
      "tar-stream MIT",
      "ulid MIT",
      "undici MIT",
      "valibot MIT",
    ]);
  });

  it("DEPENDENCIES.md has a reason for each package we ship with, and for no other", () => {
    const rows = [
      ...readProjectFile("DEPENDENCIES.md").matchAll(/^\| ([a-z@][a-z0-9@/.-]*) +\| \S/gm),
    ];
    const named = rows.map(([, name]) => name).filter((name) => name !== "package");
    expect(named).toEqual(Object.keys(readPackageFile().dependencies));
  });
});
