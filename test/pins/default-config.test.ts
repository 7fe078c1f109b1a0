import { expect, it } from "vitest";
import { loadConfig } from "../../src/config/config.ts";

it.runIf(process.platform === "linux")("the configuration of a bare environment is this", () => {
  const environment = { HOME: "/home/ada", XDG_RUNTIME_DIR: "/run/user/1000", PATH: "/usr/bin" };
  expect(loadConfig(environment).config).toEqual({
    cacheDir: "/home/ada/.cache/luminaguard",
    stateDir: "/home/ada/.local/state/luminaguard",
    configDir: "/home/ada/.config/luminaguard",
    runtimeDir: "/run/user/1000/luminaguard",
    homeDir: "/home/ada",
    searchPath: "/usr/bin",
    image: "base",
    memoryMib: 512,
    cpus: 1,
    hypervisor: "auto",
    cacheMibMax: 20480,
    snapshotsMax: 64,
    snapshotsMibMax: 20480,
    policyPreset: "balanced",
    approvalTimeoutS: 300,
    scriptedApproval: "no",
    mcpVariables: "",
  });
});
