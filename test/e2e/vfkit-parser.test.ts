/** What is said to vfkit, read by vfkit's own Go packages (test/vfkit/), which need no macOS. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "../../src/process/run-program.ts";
import { buildVfkitArgs } from "../../src/vm/backends/vfkit/vfkit-args.ts";
import { renderChange } from "../../src/vm/backends/vfkit/vfkit-rest.ts";
import { resolveVmSpec } from "../../src/vm/spec.ts";
import { makeTempDir } from "../support/make-tree.ts";

const env = {
  PATH: `${process.env["PATH"] ?? ""}:/usr/local/go/bin`,
  HOME: process.env["HOME"] ?? "/",
};
/** vfkit's go.mod asks for it */
const hasGo = await runProgram("go", ["version"], { env }).then(
  ({ stdout }) => /go1\.(2[5-9]|[3-9]\d)/.test(stdout.toString()),
  () => false,
);

test.skipIf(!hasGo)(
  "vfkit's own parsers read what is meant (needs Go 1.25)",
  async () => {
    using temp = makeTempDir();
    const layer = join(temp.path, "root.squashfs");
    writeFileSync(layer, "not a qcow2");
    const paths = { wire: "/tmp/run/w.sock", rest: "/tmp/run/r.sock", console: "/tmp/run/console" };
    const machines = [undefined, layer].map((layerPath, index) => {
      const image = {
        digest: "0".repeat(64),
        kernelPath: "/Users/ada/Library/Caches/my images/vmlinuz",
        initramfsPath: "/Users/ada/Library/Caches/a=b/initramfs",
        layerPath,
      };
      const rosetta = layerPath !== undefined;
      const spec = resolveVmSpec({ image, vcpus: index + 1, memoryMib: 512 + index, rosetta });
      return {
        args: buildVfkitArgs(spec, paths),
        vcpus: spec.vcpus,
        memoryMib: spec.memoryMib,
        kernel: image.kernelPath,
        initramfs: image.initramfsPath,
        layer: layerPath ?? "",
        rosetta,
        ...paths,
      };
    });
    const states = ["Pause", "Resume", "Stop", "HardStop"] as const;
    const changes = states.map((state) => ({ state, body: renderChange(state) }));
    const said = join(temp.path, "said.json");
    writeFileSync(said, JSON.stringify({ machines, changes }));
    const cwd = join(import.meta.dirname, "../vfkit");
    const options = { cwd, env: { ...env, VFKIT_SAID: said }, timeoutMs: 600_000 };
    const { stdout } = await runProgram("go", ["test", "-count=1", "-v", "./..."], options);
    expect(stdout.toString()).toContain("--- PASS: TestTheCommandLineSaysWhatIsMeant");
    expect(stdout.toString()).toContain("--- PASS: TestEveryChangeIsOneThatVfkitKnows");
  },
  600_000,
);
