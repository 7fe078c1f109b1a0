import { defineConfig } from "vitest/config";

/** Fuzzing for seconds, and crashes at every step: no machine is booted, but nobody waits for these while typing. */
const sweeps = [
  "test/fuzz/**/*.test.ts",
  "test/unit/workspace/{apply-kill,recover,round-trip}.test.ts",
];

/** Unit tests never boot a machine; e2e tests do and run one file at a time, so that two cores are not fought over. */
export default defineConfig({
  test: {
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      reporter: ["text-summary", "json-summary"],
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
