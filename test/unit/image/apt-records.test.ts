import { describe, expect, test } from "vitest";
import { parseAptPackage, parsePrintedUris, parseRecords } from "../../../src/image/apt-records.ts";

const record = `Package: busybox-static
Source: busybox (1:1.35.0-4+deb12u1)
Version: 1:1.35.0-4+deb12u1+b1
Architecture: amd64
Built-Using: glibc (= 2.36-9+deb12u14), gcc-12 (= 12.2.0-14)
Description: Standalone rescue shell
 with a line that goes on
Size: 928188
SHA256: 3D3FDBE91D4660C873E14B092C213FE81C1DA6362DAA236EB25D0171EB108744

Package: nano
Version: 7.2-1+deb12u1+b2
Architecture: amd64
Size: 1
SHA256: ${"a".repeat(64)}

`;

describe("apt's records", () => {
  const [busybox, nano] = parseRecords(record);

  test("name the package, its hash and its source", () => {
    expect(parseAptPackage(busybox ?? new Map())).toEqual({
      name: "busybox-static",
      version: "1:1.35.0-4+deb12u1+b1",
      arch: "amd64",
      sha256: "3d3fdbe91d4660c873e14b092c213fe81c1da6362daa236eb25d0171eb108744",
      bytes: 928188,
      source: { name: "busybox", version: "1:1.35.0-4+deb12u1" },
      builtUsing: [
        { name: "glibc", version: "2.36-9+deb12u14" },
        { name: "gcc-12", version: "12.2.0-14" },
      ],
      depends: "",
    });
    expect(busybox?.get("Description")).toBe("Standalone rescue shell\nwith a line that goes on");
  });

  test("stand for their own source, without the mark of a rebuild, where none is named", () => {
    expect(parseAptPackage(nano ?? new Map()).source).toEqual({
      name: "nano",
      version: "7.2-1+deb12u1",
    });
  });

  test("are refused without a SHA-256", () => {
    const weak = new Map([...(nano ?? [])].filter(([field]) => field !== "SHA256"));
    expect(() => parseAptPackage(weak)).toThrow("nano has no SHA256");
    expect(() => parseAptPackage(new Map([...weak, ["SHA256", "abc"]]))).toThrow("not a SHA-256");
  });
});

test("printed archives give names and versions", () => {
  const text = `Reading package lists...
'http://mirror.example/pool/p/passwd_4.13_amd64.deb' passwd_1%3a4.13+dfsg1-1+deb12u2_amd64.deb 972180 MD5Sum:ddd0
'file:/x/libbz2-1.0_1.0.8-5%2bb1_amd64.deb' libbz2-1.0_1.0.8-5+b1_amd64.deb 47348 
`;
  expect(parsePrintedUris(text)).toEqual([
    { name: "passwd", version: "1:4.13+dfsg1-1+deb12u2" },
    { name: "libbz2-1.0", version: "1.0.8-5+b1" },
  ]);
});
