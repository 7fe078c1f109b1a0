/**
 * What Debian's package scripts would have done and programs cannot do without, done in a fixed
 * way instead of by running them:
 *
 * - the bundle of root certificates, made of ca-certificates' files, where OpenSSL looks for it;
 * - the names that `update-alternatives` gives, for the usual ones: each points at the first
 *   program of its list that is in the layer.
 *
 * Not done: users and groups of packages, python byte code, ld.so.cache (Debian's loader finds its
 * own folders without), caches of fonts, icons and MIME types, Java's key store.
 */
import { posix } from "node:path";

interface FixedLink {
  readonly path: string;
  /** relative to the link's folder */
  readonly target: string;
}

/** the link, and the programs it may stand for, best first; below `/usr/bin` unless a path is given */
const alternatives: readonly (readonly [link: string, ...programs: string[]])[] = [
  ["awk", "gawk", "mawk", "original-awk"],
  ["c++", "g++", "clang++-14"],
  ["c89", "c89-gcc"],
  ["c99", "c99-gcc"],
  ["cc", "gcc", "clang", "tcc"],
  ["cpp", "cpp-12"],
  ["editor", "nano", "vim.basic", "vim.tiny", "mcedit"],
  ["ex", "vim.basic", "vim.tiny"],
  ["fakeroot", "fakeroot-sysv", "fakeroot-tcp"],
  ["lua", "lua5.4", "lua5.3", "lua5.1"],
  ["luac", "luac5.4", "luac5.3", "luac5.1"],
  ["nawk", "gawk", "mawk"],
  ["nc", "nc.openbsd", "nc.traditional"],
  ["netcat", "nc.openbsd", "nc.traditional"],
  ["pager", "less", "more"],
  ["php", "php8.2"],
  ["rename", "file-rename"],
  ["traceroute", "traceroute.db"],
  ["vi", "vim.basic", "vim.tiny", "nvi"],
  ["vim", "vim.basic"],
  ["vimdiff", "vim.basic"],
  ["view", "vim.basic", "vim.tiny"],
  ["which", "which.debianutils"],
  ["write", "write.ul"],
  ["x-www-browser", "w3m", "lynx"],
];
/** programs of a Java home that get a name of their own */
const javaPrograms = new Set(["jar", "java", "javac", "javadoc", "jps", "jshell", "keytool"]);
const javaHome = /^usr\/lib\/jvm\/[^/]+\/bin\/([a-z]+)$/;
/** libraries that are chosen between as programs are: `…/TRIPLET/blas/libblas.so.3` */
const chosenLibrary =
  /^(usr\/lib\/[^/]+-linux-gnu)\/(?:atlas|blas|lapack|openblas-pthread)\/(lib(?:blas|lapack)\.so\.3)$/;

/** The links to add to a layer that has these paths; none over a file that a package brought. */
export function findAlternatives(paths: ReadonlySet<string>): FixedLink[] {
  const links = new Map<string, string>();
  for (const [name, ...programs] of alternatives) {
    const program = programs.find((each) => paths.has(`usr/bin/${each}`));
    if (program !== undefined) links.set(`usr/bin/${name}`, `usr/bin/${program}`);
  }
  for (const path of [...paths].sort()) {
    const java = javaHome.exec(path)?.[1];
    if (java !== undefined && javaPrograms.has(java)) links.set(`usr/bin/${java}`, path);
    const [, folder, library] = chosenLibrary.exec(path) ?? [];
    if (folder !== undefined && library !== undefined) links.set(`${folder}/${library}`, path);
  }
  return [...links]
    .filter(([path]) => !paths.has(path))
    .map(([path, target]) => ({ path, target: posix.relative(posix.dirname(path), target) }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Where a root certificate of ca-certificates lies. */
export function isRootCertificate(path: string): boolean {
  return /^usr\/share\/ca-certificates\/mozilla\/[^/]+\.crt$/.test(path);
}

export const certificateBundlePath = "etc/ssl/certs/ca-certificates.crt";

/** OpenSSL's default file, for programs that do not name the bundle. */
export const certificateLink: FixedLink = {
  path: "usr/lib/ssl/cert.pem",
  target: `/${certificateBundlePath}`,
};

/** All certificates in one text, ordered by file name as Debian's own script does. */
export function bundleCertificates(certificates: ReadonlyMap<string, Buffer>): Buffer {
  const sorted = [...certificates].sort(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.concat(
    sorted.flatMap(([, text]) => (text.at(-1) === 0x0a ? [text] : [text, Buffer.from("\n")])),
  );
}
