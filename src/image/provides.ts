/**
 * Says which Debian package has a command that a machine did not find, so that the person gets the
 * line that adds it. A best effort, in this order: a small table of what is asked for most, the
 * package the host has it from, a package of that very name.
 */
import { parseRecords } from "./apt-records.ts";
import { createHostTools } from "./host-tools.ts";
import { renderBuildCommand } from "./image-names.ts";
import type { ImageManifest } from "./manifest.ts";

/** the commands that each package brings */
const commandsOfPackage: Readonly<Record<string, string>> = {
  "build-essential": "build-essential",
  "bind9-dnsutils": "dig nslookup",
  bsdextrautils: "column hexdump",
  "default-jdk-headless": "javac jar jshell",
  "default-jre-headless": "java",
  "docker.io": "docker",
  "fd-find": "fdfind",
  "golang-go": "go gofmt",
  iproute2: "ss bridge",
  "lua5.4": "lua luac",
  "mariadb-client": "mysql mariadb",
  "netcat-openbsd": "netcat",
  "openssh-client": "ssh scp sftp ssh-keygen ssh-add",
  "php-cli": "php",
  "postgresql-client": "psql pg_dump",
  procps: "pgrep pkill pmap",
  "python3-minimal": "python3",
  "python3-pip": "pip pip3",
  "python3-pytest": "pytest py.test",
  "python3-venv": "venv",
  ripgrep: "rg",
  rustc: "rustc",
  sqlite3: "sqlite3",
  "vim-tiny": "vim",
  "xz-utils": "xz unxz",
  bash: "bash",
  cargo: "cargo",
  clang: "clang clang++",
  cmake: "cmake ctest",
  curl: "curl",
  file: "file",
  "g++": "g++ c++",
  gawk: "gawk",
  gcc: "gcc cc",
  gdb: "gdb",
  git: "git",
  jq: "jq",
  make: "make",
  nodejs: "node nodejs",
  npm: "npm npx",
  openssl: "openssl",
  perl: "perl",
  rsync: "rsync",
  ruby: "ruby irb gem erb",
  strace: "strace",
  sudo: "sudo",
  tmux: "tmux",
  zip: "zip",
  zsh: "zsh",
};
/** what a command does not work without, though its package only recommends it */
const companions: Readonly<Record<string, readonly string[]>> = {
  curl: ["ca-certificates"],
  "g++": ["libc6-dev"],
  gcc: ["libc6-dev"],
  git: ["ca-certificates"],
  cargo: ["gcc", "libc6-dev", "ca-certificates"],
  "golang-go": ["ca-certificates"],
  npm: ["ca-certificates"],
  "python3-pip": ["ca-certificates"],
  rustc: ["gcc", "libc6-dev"],
};

const table = new Map<string, string>();
for (const [name, commands] of Object.entries(commandsOfPackage)) {
  for (const command of commands.split(" ")) table.set(command, name);
}

interface ProvidesOptions {
  /** environment of apt and dpkg
   * @default PATH only */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** longest time to ask one of the host's programs, in `ms` */
const askTimeoutMs = 5_000;
const commandPattern = /^[A-Za-z0-9][A-Za-z0-9+._-]{0,63}$/;

/**
 * Names of packages that bring the command, with what it needs besides; empty where nobody knows.
 * Rejects only with the signal's reason.
 */
export async function packagesProviding(
  command: string,
  options: ProvidesOptions = {},
): Promise<string[]> {
  if (!commandPattern.test(command)) return [];
  const name =
    table.get(command) ?? (await askDpkg(command, options)) ?? (await askApt(command, options));
  return name === undefined ? [] : [name, ...(companions[name] ?? [])];
}

/**
 * The command line that makes an image with these packages besides those of the image in use. A
 * base image keeps its name, so the new one is named after its first package.
 */
export function renderProvidingCommand(
  image: { readonly name: string; readonly manifest: Pick<ImageManifest, "kind" | "requested"> },
  packages: readonly string[],
): string {
  const { kind, requested } = image.manifest;
  const all = [...new Set([...requested, ...packages])];
  const first = packages[0] ?? "tools";
  const name =
    kind === "base" ? first.replace(/-minimal$|-cli$/, "").replaceAll("+", "p") : image.name;
  return renderBuildCommand(name, all);
}

/** The package that the host has the command from. */
async function askDpkg(command: string, options: ProvidesOptions): Promise<string | undefined> {
  const paths = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map((folder) => `${folder}/${command}`);
  const text = await ask("dpkg-query", ["--search", ...paths], options);
  return /^([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9]+)?: \//m.exec(text)?.[1];
}

/** The package of that very name. */
async function askApt(command: string, options: ProvidesOptions): Promise<string | undefined> {
  const name = command.toLowerCase();
  const text = await ask("apt-cache", ["show", "--no-all-versions", name], options);
  return parseRecords(text).some((fields) => fields.get("Package") === name) ? name : undefined;
}

async function ask(
  program: string,
  args: readonly string[],
  options: ProvidesOptions,
): Promise<string> {
  const tools = createHostTools({ env: options.env ?? {}, signal: options.signal });
  try {
    const result = await tools.run(program, args, { timeoutMs: askTimeoutMs, allowFailure: true });
    return result.stdout.toString("utf8");
  } catch {
    options.signal?.throwIfAborted();
    return ""; // no Debian host, or it is busy: the line is only a help
  }
}
