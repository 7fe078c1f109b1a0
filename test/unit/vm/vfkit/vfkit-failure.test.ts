import { describe, expect, it } from "vitest";
import { explainVfkitEnd } from "../../../../src/vm/backends/vfkit/vfkit-failure.ts";

const path = "/opt/homebrew/bin/vfkit";
const entitlement =
  'Error Domain=VZErrorDomain Code=2 Description="Invalid virtual machine configuration. The process doesn’t have the “com.apple.security.virtualization” entitlement."';

describe("vfkit's end", () => {
  it("for want of the entitlement names the command that signs it", () => {
    const { message, hint } = explainVfkitEnd({ path, stderr: entitlement, signal: null });
    expect(message).toContain("lacks the entitlement");
    expect(hint).toContain(
      "codesign -f --entitlements vf.entitlements -s - /opt/homebrew/bin/vfkit",
    );
  });

  it("by macOS, which does not trust it, names the command that lifts the quarantine", () => {
    const { message, hint } = explainVfkitEnd({ path, stderr: "", signal: "SIGKILL" });
    expect(message).toContain("does not trust");
    expect(hint).toBe("xattr -d com.apple.quarantine /opt/homebrew/bin/vfkit");
  });

  it("makes one word of a path in the command", () => {
    const named = explainVfkitEnd({ path: "/a b/it's/vfkit", stderr: "", signal: "SIGKILL" });
    expect(named.hint).toBe(String.raw`xattr -d com.apple.quarantine '/a b/it'\''s/vfkit'`);
  });

  it.each([
    ["spawn EACCES", "xattr -d com.apple.quarantine"],
    ["Error: unknown flag: --restful-uri", "brew upgrade vfkit"],
    ["Virtualization is not available on this hardware.", "emulation"],
    ["Error: rosetta is not installed", "softwareupdate --install-rosetta"],
    ["Error: rosetta is not supported", "macOS 13"],
    ["kernel must be uncompressed, /k is a compressed file", "build the image again"],
  ])("with %s says what to do: %s", (stderr, fix) => {
    expect(explainVfkitEnd({ path, stderr, signal: null }).hint).toContain(fix);
  });

  it("for another reason gives the framework's words", () => {
    const stderr = 'UserInfo={\n  NSLocalizedFailureReason = "The memory size is invalid.";\n}';
    const error = explainVfkitEnd({ path, stderr, signal: null });
    expect(error.message).toBe("vfkit did not start: The memory size is invalid.");
    expect(error.code).toBe("VM_BOOT_FAILED");
  });

  it("without a word says only that", () => {
    expect(explainVfkitEnd({ path, stderr: "", signal: null }).message).toBe("vfkit did not start");
  });
});
