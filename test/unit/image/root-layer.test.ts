import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { mergedPath, readDeb } from "../../../src/image/deb.ts";
import { createHostTools } from "../../../src/image/host-tools.ts";
import { createLicenceCollector } from "../../../src/image/licences.ts";
import { buildRootLayer } from "../../../src/image/root-layer.ts";
import { makeTempDir } from "../../support/make-tree.ts";
import { makeDeb } from "./make-deb.ts";

const temp = makeTempDir();
afterAll(() => temp[Symbol.dispose]());
const tools = createHostTools({});
const dpkg = spawnSync("dpkg-deb", ["--version"]).error === undefined;
const certificates = "usr/share/ca-certificates/mozilla";
const debs = dpkg
  ? [
      makeDeb(temp.path, "gcc", {
        "bin/gcc": { text: "compiler", mode: 0o755 },
        "usr/bin/gcc-12": { link: "bin/gcc" },
        "usr/bin/nodejs": { symlink: "node" },
        "usr/share/doc/gcc/copyright": { text: "GPL: see /usr/share/common-licenses/GPL-3.\n" },
        "usr/share/man/man1/gcc.1": { text: "manual" },
      }),
      makeDeb(temp.path, "certs", {
        [`${certificates}/B.crt`]: { text: "B\n" },
        [`${certificates}/A.crt`]: { text: "A" },
        "bin/gcc": { text: "not the first to bring it" },
        "usr/share/doc/certs": { symlink: "gcc" },
        "usr/share/common-licenses/GPL-3": { text: "the GPL" },
      }),
    ]
  : [];

describe.skipIf(!dpkg)("packages (needs dpkg-deb)", () => {
  test("are read without their scripts, in merged paths", async () => {
    const seen = new Map<string, string>();
    await readDeb(tools, debs[0] ?? "", (entry) => {
      seen.set(
        entry.path,
        entry.kind === "symlink" || entry.kind === "link"
          ? `${entry.kind} ${entry.target}`
          : entry.kind,
      );
    });
    expect(seen.get("usr/bin/nodejs")).toBe("symlink node");
    expect([seen.get("usr/bin/gcc"), seen.get("usr/bin/gcc-12")].toSorted()).toEqual([
      "file",
      "link usr/bin/gcc",
    ]);
    expect([...seen.keys()].some((path) => path.includes("DEBIAN"))).toBe(false);
  });

  test("that are broken fail with what dpkg-deb says", async () => {
    const broken = join(temp.path, "gcc-root/DEBIAN/control");
    await expect(readDeb(tools, broken, () => undefined)).rejects.toMatchObject({
      code: "PROCESS_FAILED",
    });
  });

  test("stop being read where the visitor fails", async () => {
    const visit = (): never => {
      throw new Error("enough");
    };
    await expect(readDeb(tools, debs[0] ?? "", visit)).rejects.toThrow("enough");
  });

  test("become the same layer each time, with what scripts would have made", async () => {
    const licences = createLicenceCollector();
    const [one, two] = [join(temp.path, "1.squashfs"), join(temp.path, "2.squashfs")];
    for (const outputPath of [one, two])
      await buildRootLayer({ tools, debPaths: debs, licences, outputPath });
    expect(readFileSync(one).equals(readFileSync(two))).toBe(true);

    const texts = licences.files(["certs", "gcc", "none"]);
    expect([...texts].map(([path, text]) => [path, text.toString()])).toEqual([
      ["certs/copyright", "GPL: see /usr/share/common-licenses/GPL-3.\n"],
      ["gcc/copyright", "GPL: see /usr/share/common-licenses/GPL-3.\n"],
      ["common-licenses/GPL-3", "the GPL"],
    ]);
    const root = join(temp.path, "layer");
    if (spawnSync("unsquashfs", ["-quiet", "-no-progress", "-dest", root, one]).error !== undefined)
      return;
    const list = spawnSync("unsquashfs", ["-ll", one], { encoding: "utf8" }).stdout;
    expect(list).toContain("usr/bin/cc -> gcc");
    expect(list).toContain("usr/lib/ssl/cert.pem -> /etc/ssl/certs/ca-certificates.crt");
    expect(list).not.toMatch(/usr\/share\/(?:man|doc)|squashfs-root\/bin/);
    expect(readFileSync(join(root, "usr/bin/gcc"), "utf8")).toBe("compiler");
    expect(readFileSync(join(root, "usr/bin/gcc-12"), "utf8")).toBe("compiler");
    expect(readFileSync(join(root, "etc/ssl/certs/ca-certificates.crt"), "utf8")).toBe("A\nB\n");
  });
});

describe("mergedPath", () => {
  test.each([
    ["./bin/sh", "usr/bin/sh"],
    ["./lib64/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2"],
    ["./lib/", "usr/lib"],
    ["./", ""],
    ["/usr//lib/x", "usr/lib/x"],
    ["library/x", "library/x"],
  ])("takes %s to %s", (name, path) => {
    expect(mergedPath(name, "test")).toBe(path);
  });

  test("refuses a path that leaves the root", () => {
    expect(() => mergedPath("./usr/../../etc/passwd", "test")).toThrow("leaves the root");
  });
});
