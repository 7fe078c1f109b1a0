/**
 * Programs and tools that run what they are given. To grant one is to grant everything, so none is:
 * the shell, the wrapper or the interpreter is what "always allow" of other products stored.
 */

/** Programs by their file name, without a version or `.exe`. */
const programs: ReadonlySet<string> = new Set([
  // shells
  ...["sh", "ash", "bash", "csh", "dash", "elvish", "fish", "ksh", "mksh", "nu", "rbash", "tcsh"],
  ...["zsh", "cmd", "command", "powershell", "pwsh", "wsl", "busybox", "toybox"],
  // what starts another program
  ...["chroot", "chrt", "doas", "env", "exec", "firejail", "flatpak", "flock", "ionice", "ld.so"],
  ...["ltrace", "nice", "nohup", "nsenter", "parallel", "pkexec", "prlimit", "runcon", "runuser"],
  ...["script", "setarch", "setpriv", "setsid", "start-stop-daemon", "stdbuf", "strace", "su"],
  ...["sudo", "systemd-run", "taskset", "time", "timeout", "unshare", "watch", "xargs", "xvfb-run"],
  ...["bwrap", "catchsegv", "cpulimit", "expect", "gdb", "lldb", "rlwrap", "valgrind", "entr"],
  ...["at", "batch", "crontab", "launchctl", "nssm", "open", "rundll", "schtasks", "start"],
  ...["tmux", "screen", "xdg-open", "find", "fd", "perf", "unbuffer", "faketime", "fakeroot"],
  // other machines
  ...["docker", "podman", "kubectl", "nerdctl", "lxc", "machinectl", "mosh", "nc", "ncat"],
  ...["qemu", "rsh", "rsync", "scp", "sftp", "socat", "ssh", "telnet", "vagrant", "curl", "wget"],
  // interpreters
  ...["awk", "bun", "deno", "elixir", "erl", "escript", "gawk", "ghci", "go", "groovy", "guile"],
  ...[
    "iex",
    "ipython",
    "irb",
    "java",
    "jjs",
    "jruby",
    "jshell",
    "julia",
    "kotlin",
    "lua",
    "luajit",
  ],
  ...["mawk", "mono", "nawk", "node", "nodejs", "ocaml", "octave", "osascript", "perl", "php"],
  ...["pypy", "python", "r", "racket", "rscript", "ruby", "runghc", "sbcl", "scala", "swift"],
  ...["tclsh", "ts-node", "tsx", "wish", "wscript", "cscript", "mshta", "dotnet", "pdb", "jiti"],
  // what runs a project's own words, a plug-in or an option's command
  ...["ant", "bazel", "bundle", "cargo", "cmake", "composer", "conda", "corepack", "ctest", "gem"],
  ...[
    "gradle",
    "gradlew",
    "gulp",
    "invoke",
    "just",
    "make",
    "gmake",
    "meson",
    "mix",
    "mvn",
    "ninja",
  ],
  ...["npm", "npx", "nix", "nox", "pip", "pipenv", "pipx", "pnpm", "pnpx", "poetry", "pytest"],
  ...["rake", "rye", "sbt", "task", "tox", "turbo", "uv", "uvx", "yarn", "bunx", "hatch", "pdm"],
  ...["git", "hg", "svn", "tar", "bsdtar", "zip", "cpio", "rpm", "dpkg", "apt", "apt-get", "brew"],
  // editors and readers with a command of their own
  ...["ed", "emacs", "ex", "less", "man", "more", "nano", "nvim", "rg", "sed", "vi", "view", "vim"],
  ...["mutt", "mysql", "psql", "sqlite", "sqlite3", "gcc", "cc", "ld", "openssl", "ansible"],
]);

/** Words in a tool's name that say it runs what it is given. */
const words: ReadonlySet<string> = new Set([
  ...["bash", "cmd", "command", "commands", "console", "eval", "evaluate", "exec", "execute"],
  ...["interpreter", "javascript", "perl", "php", "powershell", "pwsh", "python"],
  ...["repl", "ruby", "run", "script", "scripts", "sh", "shell", "spawn", "subprocess", "sudo"],
  "terminal",
]);

/** Whether a program, by name or path, runs other programs or code it is given. */
export function isCodeRunner(program: string): boolean {
  const file = program.split(/[\\/]/).at(-1)?.toLowerCase().trim() ?? "";
  const bare = file.replace(/\.(exe|com|bat|cmd|ps1)$/, "");
  const unversioned = bare.replace(/[-_]?\d+([._-]\d+)*[a-z]?$/, "");
  // busybox.static, python3-config, qemu-system-x86_64
  const [stem = ""] = bare.split(/[._\-\d]/);
  return bare === "" || [bare, unversioned, stem].some((name) => programs.has(name));
}

/** Whether a tool's name says that it runs code: `shell.exec`, `run_command`, `executeScript`. */
export function isCodeRunningTool(tool: string): boolean {
  return tool
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z]+/)
    .some((word) => words.has(word));
}
