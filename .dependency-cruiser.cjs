/** The walls of the house (ARCHITECTURE.md). Layer n imports lower layers only; layer-2 rooms are strangers. */
const rooms = ["vm", "wire", "image", "workspace", "approvals", "policy", "mcp"];
const layer1 = ["process", "config", "metrics", "store", "audit"];
const faces = ["cli", "tui"];
const any = (names) => `^src/(${names.join("|")})/`;

/** What each room may import besides itself, src/base/ and src/errors.ts. */
const mayImport = {
  process: [],
  config: [],
  metrics: [],
  store: [],
  audit: ["store"],
  vm: ["process", "metrics"],
  wire: [],
  image: ["process"],
  workspace: ["process"],
  approvals: [],
  policy: [],
  mcp: ["process", "metrics"],
  runtime: [...layer1, ...rooms],
  bench: [
    ...["runtime", "process", "vm", "image", "store", "audit", "approvals", "policy"],
    ...["mcp", "metrics"],
  ],
  cli: ["runtime", "tui", "config", "bench"],
  tui: ["runtime"],
};
const walls = Object.entries(mayImport).map(([room, allowed]) => ({
  name: `walls-of-${room}`,
  severity: "error",
  from: { path: `^src/${room}/` },
  to: {
    path: "^src/",
    pathNot: [
      "^src/errors\\.ts$",
      "^src/base/",
      `^src/${room}/`,
      ...allowed.map((r) => `^src/${r}/`),
    ],
  },
}));

module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-orphans",
      severity: "error",
      from: {
        orphan: true,
        pathNot: ["^src/(mcp/)?index\\.ts$", "^src/cli/main\\.ts$", "^src/errors\\.ts$"],
      },
      to: {},
    },
    {
      name: "errors-import-nothing",
      severity: "error",
      from: { path: "^src/errors\\.ts$" },
      to: { path: "." },
    },
    {
      name: "base-imports-errors-only",
      severity: "error",
      from: { path: "^src/base/" },
      to: { path: "^src/", pathNot: ["^src/base/", "^src/errors\\.ts$"] },
    },
    ...walls,
    {
      name: "only-process-spawns",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/process/" },
      to: { path: "^(node:)?child_process$" },
    },
    {
      name: "backends-are-strangers",
      severity: "error",
      from: { path: "^src/vm/backends/([^/]+)/" },
      to: { path: "^src/vm/backends/", pathNot: "^src/vm/backends/$1/" },
    },
    {
      name: "only-one-file-names-backends",
      severity: "error",
      from: {
        path: "^src/",
        pathNot: [
          "^src/vm/choice/all-candidates\\.ts$",
          "^src/vm/backends/",
          "^src/bench/",
          "^src/index\\.ts$",
        ],
      },
      to: { path: "^src/vm/backends/", pathNot: "^src/vm/backends/fake/" },
    },
    {
      name: "no-faces-below",
      severity: "error",
      from: { path: "^src/", pathNot: any(faces) },
      to: { path: any(faces) },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default", "types"],
    },
  },
};
