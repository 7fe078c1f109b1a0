import { win32 } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildQemuArgs } from "../../../src/vm/backends/qemu/qemu-args.ts";
import { listPlaces } from "../../../src/vm/backends/qemu/qemu-binary.ts";
import { resolveVmSpec } from "../../../src/vm/spec.ts";
import { readOption } from "../../support/qemu-option.ts";

/** A word of a path, with all that QEMU and Windows treat in a way of their own. */
const word = fc.string({
  unit: fc.constantFrom(...Array.from("aZ9 ,=;:'&()[]{}%$@!^~+-_.üß語")),
  minLength: 1,
  maxLength: 12,
});
const root = fc.constantFrom("C:\\", "z:\\", "D:/", "\\\\server\\share\\", "\\\\?\\C:\\");
const windowsPath = fc
  .tuple(root, fc.array(word, { minLength: 1, maxLength: 4 }))
  .map(([at, words]) => at + words.join("\\"));

const loopback = { port: 49_152, keyFolder: "C:\\run\\vm-1" };

function argsOf(folder: string, keyFolder = loopback.keyFolder): readonly string[] {
  const at = (name: string): string => `${folder}\\${name}`;
  const image = {
    digest: "0".repeat(64),
    ...{ kernelPath: at("k"), initramfsPath: at("i"), layerPath: at("layer") },
  };
  return buildQemuArgs({
    spec: resolveVmSpec({ image, memoryMib: 128 }),
    ...{ accelerator: "whpx", architecture: "x64", wirePath: "", incoming: false },
    loopback: { ...loopback, keyFolder },
  });
}

const valuesOf = (args: readonly string[], option: string): readonly string[] =>
  args.filter((_value, at) => args[at - 1] === option);

describe("QEMU's command line on Windows", () => {
  it("names every file as it is, whatever is in its path", () => {
    fc.assert(
      fc.property(windowsPath, windowsPath, (folder, keyFolder) => {
        const args = argsOf(folder, keyFolder);
        expect(valuesOf(args, "-kernel")).toEqual([`${folder}\\k`]);
        expect(valuesOf(args, "-initrd")).toEqual([`${folder}\\i`]);
        const [layer = ""] = valuesOf(args, "-blockdev");
        expect(readOption(layer)["filename"]).toBe(`${folder}\\layer`);
        const objects = valuesOf(args, "-object").map(readOption);
        expect(objects.flatMap(({ dir = [] }) => dir)).toEqual([keyFolder, keyFolder, keyFolder]);
      }),
    );
  });

  it("has hardware virtualization, a processor with a name, and no interrupt chip of the platform", () => {
    const args = argsOf("C:\\images");
    expect(valuesOf(args, "-accel")).toEqual(["whpx,kernel-irqchip=off"]);
    expect(valuesOf(args, "-cpu")).toEqual(["Haswell-noTSX"]);
    expect(valuesOf(args, "-machine")).toEqual(["q35"]);
  });

  it("has nothing that only other platforms have", () => {
    const args = argsOf("C:\\images");
    expect(args).not.toContain("-sandbox");
    expect(args.join(" ")).not.toMatch(/fd=|stdio|path=|memory-backend|server=on|incoming/);
  });

  it("connects each channel to this process, with a key of its own", () => {
    const args = argsOf("C:\\images");
    const channels = valuesOf(args, "-chardev").map(readOption);
    expect(channels.map(({ id }) => id)).toEqual(["console", "control", "wire"]);
    for (const channel of channels) {
      expect(channel).toMatchObject({ host: "127.0.0.1", port: "49152", server: "off" });
      expect(channel["tls-creds"]).toBe(`${channel["id"]}-key`);
    }
    const objects = valuesOf(args, "-object").map(readOption);
    expect(objects.flatMap(({ username = [] }) => username)).toEqual([
      "console",
      "control",
      "wire",
    ]);
  });
});

describe("QEMU on Windows is looked for", () => {
  it("in each folder of the search path that has a drive or a server, then where its installer puts it", () => {
    fc.assert(
      fc.property(fc.array(windowsPath.filter((path) => !path.includes(";"))), (folders) => {
        const places = listPlaces("qemu", folders.join(";"), "win32");
        expect(places).toEqual([
          ...folders.map((folder) => win32.join(folder, "qemu.exe")),
          "C:\\Program Files\\qemu\\qemu.exe",
        ]);
      }),
    );
  });

  it.each(["", ".", "bin", "..\\bin", "\\bin", "/bin", "C:", "C:bin"])(
    "not in %j, which is another place from another folder or drive",
    (entry) => {
      expect(listPlaces("qemu", entry, "win32")).toEqual(["C:\\Program Files\\qemu\\qemu.exe"]);
    },
  );

  it("in a folder that is quoted", () => {
    const [first] = listPlaces("qemu", '"C:\\a b";D:\\c', "win32");
    expect(first).toBe("C:\\a b\\qemu.exe");
  });
});

describe("QEMU elsewhere is looked for", () => {
  it("in the absolute folders of the search path, and nowhere else", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("/usr/bin", "bin", "", ".", "/opt/q q")), (folders) => {
        const places = listPlaces("qemu", folders.join(":"), "linux");
        const absolute = folders.filter((folder) => folder.startsWith("/"));
        expect(places).toEqual(absolute.map((folder) => `${folder}/qemu`));
      }),
    );
  });
});
