/**
 * The unit tests that run on Windows, under Wine: what touches paths, files, pipes, processes or channels
 * and needs no POSIX shell, no signals, no modes of files and none of Linux's walls. The rest of the
 * project is the same code everywhere, or never runs there.
 */
const vm = [
  ...["candidate-names", "fake-conformance", "lifecycle", "loopback", "managed-vm", "pool"],
  ...["qemu-args", "qemu-on-windows", "qmp", "spec", "verdict-cache"],
];

export default {
  root: new URL("../..", import.meta.url).pathname.slice(1),
  test: {
    include: [
      "test/unit/{audit,wire}/**/*.test.ts",
      "test/unit/base/{byte-collector,line-splitter,nearest}.test.ts",
      "test/unit/config/folders.test.ts",
      "test/wine/*.test.ts",
      `test/unit/vm/{${vm.join(",")}}.test.ts`,
    ],
    // one takes a minute, the other counts tries within a little time
    exclude: ["test/unit/audit/verify.test.ts", "test/unit/wire/connect-session.test.ts"],
    // Rolldown's binding for Windows does not load under Wine: Node itself strips the types
    experimental: { viteModuleRunner: false },
    isolate: false,
    pool: "threads",
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 120_000,
  },
};
