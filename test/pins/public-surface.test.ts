import { expect, it } from "vitest";
import * as face from "../../src/index.ts";
import * as mcpFace from "../../src/mcp/index.ts";
import { readProjectFile } from "../support/repository.ts";

it("the library's values are these", () => {
  expect(Object.keys(face).sort()).toEqual([
    "ChangeDesk",
    "Cliff",
    "CliffDesk",
    "ExecHandle",
    "LuminaGuard",
    "LuminaGuardError",
    "Machine",
    "ManagedVm",
    "Pool",
    "assess",
    "buildCard",
    "createLuminaGuard",
    "draftNetworkCard",
    "errorCodes",
    "isLuminaGuardError",
    "proposeGrant",
    "resolveVmSpec",
    "runTask",
    "takeNetworkCardPermit",
  ]);
});

it("the library's types are these", () => {
  const source = readProjectFile("src/index.ts");
  const names = [...source.matchAll(/export type \{([^}]*)\}/g)].flatMap(([, list = ""]) =>
    list.split(",").map((name) => name.trim()),
  );
  expect(names.filter((name) => name !== "").sort()).toEqual([
    "ActionEnvelope",
    "Answer",
    "ApplyChoice",
    "ApplyResult",
    "Approval",
    "ApprovalState",
    "Assessment",
    "Card",
    "Change",
    "ChangeSet",
    "CliffEvent",
    "CliffVerdict",
    "Effect",
    "EffectKind",
    "EnvelopeDraft",
    "ErrorCode",
    "ExecOptions",
    "ExecResult",
    "Grant",
    "GrantWish",
    "Greeter",
    "Hypervisor",
    "HypervisorFeatures",
    "LuminaGuardOptions",
    "MachineFacts",
    "MachineFiles",
    "NetworkCardPermit",
    "NetworkCardWish",
    "OpenCliff",
    "Operand",
    "OutputChunk",
    "PolicyEngine",
    "PolicyQuestion",
    "PolicyVerdict",
    "Probe",
    "RequestOptions",
    "Reversibility",
    "Risk",
    "Save",
    "SaveKey",
    "SavedMachine",
    "SignedDecision",
    "SpawnConfig",
    "SpawnOptions",
    "Taint",
    "TaskFace",
    "TaskRequest",
    "TaskResult",
    "TtySize",
    "VmExit",
    "VmImage",
    "VmInstance",
    "VmSpec",
    "VmSpecOptions",
  ]);
});

it("the public face is names only", () => {
  const code = readProjectFile("src/index.ts").replaceAll(/\/\*\*[\s\S]*?\*\/|\/\/.*$/gm, "");
  const rest = code.replaceAll(/export (type )?\{[^}]*\} from "[^"]+";/g, "").trim();
  expect(rest).toBe("");
});

it("the values of luminaguard/mcp are these", () => {
  expect(Object.keys(mcpFace).sort()).toEqual([
    "HttpServer",
    "LoginStore",
    "ManagedClient",
    "MetricsRegistry",
    "StreamTransport",
    "countTokenRefreshes",
    "createBearerFetch",
    "createOAuthFetch",
    "createProvider",
    "http",
    "logIn",
    "logOut",
    "parseOAuthOptions",
    "readLoginStatus",
    "renderExposition",
    "stdio",
  ]);
});
