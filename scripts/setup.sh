#!/bin/sh
# Brings a Debian 12 or later with Node, npm, git and make to where machines run. Doing it again changes
# nothing. Where it may not install, it prints the commands and stops.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

# a program that is missing, and the package that has it
packages=""
need() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }
case "$(uname -m)" in
  aarch64 | arm64) need qemu-system-aarch64 qemu-system-arm ;;
  *) need qemu-system-x86_64 qemu-system-x86 ;;
esac
need bwrap bubblewrap
need setpriv util-linux
need prlimit util-linux
need xz xz-utils
need dpkg-deb dpkg
need cc "gcc libc6-dev"
need tmux tmux

lists_are_empty() { [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' 2>/dev/null | head -n 1)" ]; }

if [ -n "$packages" ] || lists_are_empty; then
  if ! command -v apt-get >/dev/null 2>&1; then
    say "setup: these programs are missing:$packages"
    say "  this system has no apt-get; install them with its own package manager, then run make again"
    exit 1
  fi
  if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2>/dev/null; then as_root="sudo"; else
    say "setup: packages are missing, and installing them needs root. Run:"
    say "  sudo apt-get update"
    [ -z "$packages" ] || say "  sudo apt-get install --no-install-recommends -y$packages"
    say "then run make again"
    exit 1
  fi
  say "setup: installing${packages:- package lists}"
  $as_root apt-get update -qq
  if [ -n "$packages" ]; then
    # shellcheck disable=SC2086 -- words on purpose
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq --no-install-recommends -y $packages >/dev/null
  fi
fi

node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' || {
  say "setup: Node $(node --version) is too old; 20.19 is needed"
  exit 1
}

# npm leaves its own lock in node_modules: the same content means nothing to do
stamp=node_modules/.luminaguard-lock
if ! cmp -s package-lock.json "$stamp" 2>/dev/null; then
  say "setup: npm ci"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  cp package-lock.json "$stamp"
fi
npm run --silent build
if ! bin/luminaguard image ls --json | grep -q '"name": "base"'; then
  say "setup: building the base image"
fi
bin/luminaguard image build base
