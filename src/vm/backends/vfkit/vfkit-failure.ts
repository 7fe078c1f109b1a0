/**
 * What vfkit's end means and what to do about it. vfkit passes on what the framework says; macOS itself
 * ends a program that it does not trust with SIGKILL and no word.
 */
import { LuminaGuardError } from "../../../errors.ts";

export interface VfkitEnd {
  readonly path: string;
  readonly stderr: string;
  readonly signal: string | null;
  /** what the machine last wrote on its console */
  readonly console?: string | undefined;
}

interface Known {
  readonly words: RegExp;
  readonly message: string;
  readonly hint: (path: string) => string;
}

const known: readonly Known[] = [
  {
    words: /com\.apple\.security\.virtualization/,
    message:
      "vfkit may not use Apple's Virtualization.framework: its signature lacks the entitlement",
    hint: (path) =>
      `codesign -f --entitlements vf.entitlements -s - ${quote(path)}, with the file from vfkit's repository`,
  },
  {
    words: /virtualization is not available|hypervisor.*not (?:available|supported)/i,
    message: "this Mac, or the machine it is itself, has no virtualization",
    hint: () => "use QEMU's emulation: brew install qemu",
  },
  {
    words: /rosetta is not installed/i,
    message: "Rosetta is not installed on this Mac",
    hint: () => "softwareupdate --install-rosetta",
  },
  {
    words: /rosetta is (?:not |un)supported/i,
    message: "this Mac has no Rosetta for Linux machines",
    hint: () => "it needs Apple silicon and macOS 13 or later",
  },
  {
    words: /kernel must be uncompressed/,
    message: "the image's kernel is compressed, which Apple silicon does not boot",
    hint: () => "build the image again with this version of LuminaGuard",
  },
  {
    words: /unknown (?:flag|option|device|shorthand)/,
    message: "this vfkit does not know an option that is needed",
    hint: () => "brew upgrade vfkit: 0.6.0 or later is needed",
  },
  {
    words: /quarantine|operation not permitted|EPERM|EACCES/i,
    message: "macOS does not let vfkit start",
    hint: liftQuarantine,
  },
];

/** VM_BOOT_FAILED, in vfkit's words where they are not known. */
export function explainVfkitEnd(end: VfkitEnd): LuminaGuardError {
  const { path, stderr, signal, console = "" } = end;
  const details = { stderr, path, console };
  for (const { words, message, hint } of known) {
    if (!words.test(stderr)) continue;
    return new LuminaGuardError("VM_BOOT_FAILED", message, { hint: hint(path), details });
  }
  if (signal === "SIGKILL" && stderr.trim() === "") {
    const message = "macOS ended vfkit at its start, as it does with a program it does not trust";
    return new LuminaGuardError("VM_BOOT_FAILED", message, { hint: liftQuarantine(path), details });
  }
  const said = readReason(stderr);
  const how = signal === null ? "" : ` (${signal})`;
  return new LuminaGuardError(
    "VM_BOOT_FAILED",
    `vfkit did not start${how}${said === "" ? "" : `: ${said}`}`,
    { hint: "luminaguard doctor shows what works on this host", details },
  );
}

function liftQuarantine(path: string): string {
  return `xattr -d com.apple.quarantine ${quote(path)}`;
}

/** The framework's reason, else the last line. */
function readReason(stderr: string): string {
  const reason = /NSLocalizedFailureReason\s*=\s*"?([^";\n]+)/.exec(stderr)?.[1];
  return reason ?? stderr.trim().split("\n").at(-1) ?? "";
}

/** A command that a person pastes takes the path as one word. */
function quote(path: string): string {
  return /^[\w/.@+-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
