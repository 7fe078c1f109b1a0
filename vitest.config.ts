import { defineConfig } from "vitest/config";

/** Fuzzing for seconds, and crashes at every step: no machine is booted, but nobody waits for these while typing. */
const sweeps = [
  "test/fuzz/**/*.test.ts",
  "test/unit/workspace/{apply-kill,recover,round-trip}.test.ts",
  "test/unit/store/store-kill.test.ts",
  "test/unit/runtime/cliff-on-disk.test.ts",
  "test/unit/mcp/client/{faults,endpoints,human-time,standing-wishes,stdio/*,tasks/*}.test.ts",
  "test/unit/mcp/{auth/log*,tls/tls-connection}.test.ts",
  "test/unit/process/start-service.test.ts",
  "test/unit/vm/firecracker.test.ts",
  "test/unit/{policy/rule-index,audit/verify,cli/machines,approvals/card/shown-value}.test.ts",
];

/**
 * Not measured by `npm run coverage`, which boots no machine and asks no archive. Each runs in e2e
 * tests: benchmarks on real machines, the build of an image from Debian's packages, and what only
 * starts the rest in a process of its own: a machine that stays is held by one, and a move has one at
 * each end. The Windows lane has its own runs. QEMU's backend is measured, on a program in QEMU's place.
 */
const notMeasured = [
  "src/bench/{bench-context,run-bench,first-output,host-facts}.ts",
  "src/bench/{floor,measurements}/**",
  "src/cli/main.ts",
  "src/bench/{mcp,oci}/**",
  "src/cli/commands/{bench,doctor}.ts",
  "src/cli/commands/vm{,-*}.ts",
  "src/process/start-daemon.ts",
  "src/runtime/kept/{apply-workspace,copy-files,hold-machine}.ts",
  "src/runtime/kept/kept-{desk,machine,snapshots,workspace}.ts",
  "src/runtime/migration/{move-{desk,in,out,server,to-file},receive-{file,machines}}.ts",
  "src/runtime/migration/{arrivals,go-on,resolve-{file,sender},ship,supervisor-moves}.ts",
  "src/vm/backends/qemu/windows-{process,qemu}.ts",
  "src/image/{apt,base-packages,build-image,kernel-package,source-references}.ts",
  "src/image/{debian-go,go-toolchain,guest-binary,guest-compile,guest-sources}.ts",
];

/** Unit tests never boot a machine; e2e tests do and run one file at a time, so that two cores are not fought over. */
export default defineConfig({
  test: {
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: notMeasured,
      reporter: ["text-summary", "json-summary"],
      thresholds: {
        lines: 85,
        "src/vm/{lifecycle,managed-vm}.ts": { branches: 100 },
        "src/workspace/{apply*,undo-apply,recover}.ts": { branches: 100 },
      },
    },
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/{unit,pins,spec}/**/*.test.ts"],
          exclude: sweeps,
          isolate: false, // no test changes a module: loading each once halves the time
          testTimeout: 10_000,
        },
      },
      {
        test: { name: "sweep", include: sweeps, testTimeout: 60_000 },
      },
      {
        test: {
          name: "e2e",
          include: ["test/{e2e,conformance,security}/**/*.test.ts"],
          globalSetup: ["test/support/setup-images.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: "interop",
          include: ["test/interop/*.test.ts"],
          fileParallelism: false,
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "long",
          include: ["test/long/**/*.test.ts"],
          globalSetup: ["test/support/setup-images.ts"],
          fileParallelism: false,
          testTimeout: 1_800_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
