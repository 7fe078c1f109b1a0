/**
 * Path names as the guest spells them, judged before anything uses them. A name that passes is relative,
 * below the workspace on every platform, and holds no segment that any file system folds to `.git`.
 */

/** longest path in `bytes`: with the root before it, every platform opens it */
const pathBytesMax = 1024;
/** longest segment in `bytes` */
const segmentBytesMax = 255;
/** deepest path in segments */
const depthMax = 128;

export type GuestPathVerdict =
  | { readonly kind: "ok"; readonly path: string }
  | { readonly kind: "root" }
  | { readonly kind: "refused"; readonly reason: string };

/** The name's normal form (`a/b`), or why it is not one. One leading `./` is dropped, and a folder's last `/`. */
export function judgeGuestPath(name: string, isFolder: boolean): GuestPathVerdict {
  if (isFolder && (name === "." || name === "./")) return { kind: "root" };
  const path = name.replace(/^\.\//, "").replace(isFolder ? /(?<=.)\/$/ : /$^/, "");
  const reason = wholeFault(path) ?? firstSegmentFault(path);
  return reason === undefined ? { kind: "ok", path } : { kind: "refused", reason };
}

/** Whether something may be written at the path: a name in normal form, and nothing of git's. */
export function isSafeGuestPath(path: string): boolean {
  const verdict = judgeGuestPath(path, false);
  return verdict.kind === "ok" && verdict.path === path && !isBelowGit(path);
}

function wholeFault(path: string): string | undefined {
  if (path === "") return "empty name";
  if (path.startsWith("/")) return "absolute path";
  if (path.includes("\0")) return "NUL in the name";
  if (Buffer.byteLength(path) > pathBytesMax) return "name too long";
  return undefined;
}

function firstSegmentFault(path: string): string | undefined {
  const segments = path.split("/");
  if (segments.length > depthMax) return "too deep";
  for (const segment of segments) {
    const fault = segmentFault(segment);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function segmentFault(segment: string): string | undefined {
  if (segment === "") return "empty name";
  if (segment === "." || segment === "..") return `"${segment}" in the path`;
  if (segment.includes("\\")) return "backslash in the name";
  if (/[\p{Cc}\p{Cs}\ufffd]/u.test(segment)) return "control character in the name";
  if (Buffer.byteLength(segment) > segmentBytesMax) return "name too long";
  if (process.platform === "win32" && isWindowsHostile(segment)) return "not a name on Windows";
  if (segment.toLowerCase().startsWith(applyFolderPrefix)) return "a name of LuminaGuard's own";
  return undefined;
}

/** Names of the folders an apply works in; never copied in, never taken out. */
export const applyFolderPrefix = ".luminaguard-apply-";

/** What file systems drop or fold in a name: HFS+ ignores these when it compares. */
const ignorable = /[\p{Cf}\ufe00-\ufe0f\u034f]/gu;

/** One spelling for all names that some file system holds for the same. */
export function foldPath(path: string): string {
  return path.replace(ignorable, "").normalize("NFKD").toUpperCase().toLowerCase();
}

/** Whether any segment is `.git`, or what Windows or macOS would open as `.git`. */
export function isBelowGit(path: string): boolean {
  return path.split("/").some(isGitName);
}

export function isGitName(segment: string): boolean {
  const name = foldPath(segment)
    .replace(/:.*$/s, "")
    .replace(/[. ]+$/, "");
  return name === ".git" || /^git~\d+$/.test(name);
}

/** Whether Windows could not hold the name, or would open a device instead. */
export function isWindowsHostile(path: string): boolean {
  return path
    .split("/")
    .some(
      (segment) =>
        /[<>:"|?*]|[. ]$/.test(segment) ||
        /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)/i.test(segment),
    );
}
