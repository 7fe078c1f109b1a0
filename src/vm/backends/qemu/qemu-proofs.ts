/** How far QEMU's lanes were run. */
import type { CandidateHost } from "../../choice/candidate.ts";
import type { Proof } from "../../choice/lane.ts";
import type { Accelerator } from "./qemu-args.ts";

type Place = Pick<CandidateHost, "platform" | "architecture">;

export function proofOf({ platform, architecture }: Place, accelerator: Accelerator): Proof {
  if (platform === "win32") return accelerator === "tcg" ? windowsTcg : whpx;
  if (platform === "linux" && accelerator === "tcg") {
    return architecture === "x64" ? linuxTcg : arm64Tcg;
  }
  return accelerator === "kvm" ? kvm : mac;
}

const linuxTcg: Proof = {
  kind: "ci",
  what: "everything, in real machines",
  tests: ["e2e/qemu-conformance.test.ts"],
};

const arm64Tcg: Proof = {
  kind: "ci",
  what: "the whole conformance suite, emulated on an x64 host; on no arm64 host yet",
  tests: ["e2e/arm64.test.ts"],
};

const kvm: Proof = {
  kind: "contract",
  what: "the code of tcg with another accelerator, chosen only where its canary boots; no machine of ours has booted with it yet",
  tests: ["unit/vm/qemu-args.test.ts", "unit/vm/choice/select.test.ts"],
};

const mac: Proof = {
  kind: "contract",
  what: "the code of Linux with another accelerator; never run on a Mac",
  tests: ["unit/vm/qemu-args.test.ts", "unit/vm/choice/select.test.ts"],
};

const windowsTcg: Proof = {
  kind: "ci",
  what: "Node for Windows under Wine with a real machine; never run on Windows",
  tests: ["wine/machines.test.ts"],
};

const whpx: Proof = {
  kind: "vendor",
  what: "arguments read by QEMU's own parser with the accelerator swapped, code run under Wine; never run on Windows",
  tests: ["e2e/qemu-on-windows.test.ts", "wine/machines.test.ts"],
};
