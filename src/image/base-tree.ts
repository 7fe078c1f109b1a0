/**
 * The tree that every machine has before any package is added: busybox with a link for each
 * applet, the few files in /etc that programs look for, one ordinary user, and empty folders to
 * mount on. It lies at `/base` of the initramfs; a layer of Debian packages goes over it by path,
 * so applets are in /usr/bin, where a package's own program of that name replaces them. Merged as
 * Debian is since 12: /bin, /sbin, /lib and /lib64 are links into /usr.
 */
import type { CpioEntry } from "./cpio.ts";

/** the ordinary user's number, which commands run as */
const userId = 1000;

const folders = [
  "dev", "etc", "etc/profile.d", "etc/ssl", "etc/ssl/certs", "home", "media", "mnt", "opt", "proc",
  "run", "srv", "sys", "usr", "usr/bin", "usr/lib", "usr/lib64", "usr/local", "usr/local/bin",
  "usr/local/lib", "usr/local/sbin", "usr/local/share", "usr/sbin", "usr/share", "var",
  "var/cache", "var/lib", "var/log", "var/mail", "var/spool",
]; // prettier-ignore

const links: Readonly<Record<string, string>> = {
  bin: "usr/bin",
  lib: "usr/lib",
  lib64: "usr/lib64",
  sbin: "usr/sbin",
  "etc/mtab": "../proc/self/mounts",
  "var/lock": "/run/lock",
  "var/run": "/run",
};

const hostname = "luminaguard";
const files: Readonly<Record<string, string>> = {
  "etc/group": lines([
    "root:x:0:", "daemon:x:1:", "bin:x:2:", "sys:x:3:", "adm:x:4:", "tty:x:5:", "disk:x:6:",
    "mail:x:8:", "utmp:x:43:", "staff:x:50:", `user:x:${userId}:`, "nogroup:x:65534:",
  ]), // prettier-ignore
  "etc/hostname": lines([hostname]),
  "etc/hosts": lines([
    "127.0.0.1 localhost",
    `127.0.1.1 ${hostname}`,
    "::1 localhost ip6-localhost",
  ]),
  "etc/machine-id": "",
  "etc/nsswitch.conf": lines([
    "passwd: files", "group: files", "shadow: files", "hosts: files dns", "networks: files",
    "protocols: files", "services: files",
  ]), // prettier-ignore
  "etc/os-release": lines([
    'PRETTY_NAME="LuminaGuard machine"', 'NAME="LuminaGuard"', "ID=luminaguard", "ID_LIKE=debian",
  ]), // prettier-ignore
  "etc/passwd": lines([
    "root:x:0:0:root:/root:/bin/sh",
    "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin",
    `user:x:${userId}:${userId}:user:/home/user:/bin/sh`,
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
  ]),
  "etc/profile": lines([
    "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    'for file in /etc/profile.d/*.sh; do [ -r "$file" ] && . "$file"; done',
    "unset file",
  ]),
  "etc/resolv.conf": "",
  "etc/shells": lines(["/bin/sh", "/usr/bin/sh"]),
};

/** All entries of the base tree, with paths that begin with `prefix/`. */
export function createBaseTree(
  prefix: string,
  busybox: Uint8Array,
  applets: readonly string[],
): CpioEntry[] {
  const entries: CpioEntry[] = [
    { kind: "directory", path: "" },
    ...folders.map((path): CpioEntry => ({ kind: "directory", path })),
    { kind: "directory", path: "root", mode: 0o700 },
    { kind: "directory", path: "tmp", mode: 0o1777 },
    { kind: "directory", path: "var/tmp", mode: 0o1777 },
    { kind: "directory", path: "home/user", uid: userId, gid: userId },
    { kind: "directory", path: "workspace", uid: userId, gid: userId },
    { kind: "file", path: "usr/bin/busybox", mode: 0o755, content: busybox },
    {
      kind: "file",
      path: "etc/shadow",
      mode: 0o640,
      content: Buffer.from("root:*:::::::\nuser:*:::::::\n"),
    },
  ];
  for (const [path, target] of Object.entries(links))
    entries.push({ kind: "symlink", path, target });
  for (const [path, text] of Object.entries(files)) {
    entries.push({ kind: "file", path, content: Buffer.from(text) });
  }
  for (const applet of applets) {
    if (applet !== "busybox")
      entries.push({ kind: "symlink", path: `usr/bin/${applet}`, target: "busybox" });
  }
  return entries.map((entry) => ({
    ...entry,
    path: entry.path === "" ? prefix : `${prefix}/${entry.path}`,
  }));
}

function lines(list: readonly string[]): string {
  return list.map((line) => `${line}\n`).join("");
}
