#!/bin/sh
# Every test, those that boot machines too. `make setup` has run before.
set -eu
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

# what only tests need
missing=""
for pair in pip3:python3-pip qemu-system-aarch64:qemu-system-arm unsquashfs:squashfs-tools git:git docker-registry:docker-registry skopeo:skopeo umoci:umoci zstd:zstd; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "test: packages are missing; run: sudo apt-get install --no-install-recommends -y$missing" >&2
    exit 1
  fi
  # shellcheck disable=SC2086 -- words on purpose
  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y $missing >/dev/null
fi

say "types, lint, layers, unused code"
npm run --silent typecheck
npm run --silent lint
npm run --silent layers
npm run --silent unused

say "the package's form"
npm run --silent package-form

say "the guest agent"
if command -v go >/dev/null 2>&1 && go version | grep -qE 'go1\.(2[3-9]|[3-9][0-9])'; then
  (cd guest && go vet ./... && go test ./...)
else
  echo "skipped: its tests need Go 1.23 or later; the agent itself was built with Debian's"
fi

say "unit tests with coverage, on Node $(node --version)"
npm run --silent coverage

say "public MCP servers"
sh scripts/setup-interop.sh
npm run --silent test:interop

for version in 22 24; do
  folder=".cache/node-$version"
  package="node-linux-$(node -p 'process.arch')"
  program="$folder/node_modules/$package/bin/node"
  [ -x "$program" ] || npm install --silent --no-save --no-audit --no-fund --prefix "$folder" "$package@$version"
  say "unit tests on Node $("$program" --version)"
  "$program" node_modules/vitest/vitest.mjs run --project unit
done

say "the Windows lane, under Wine"
sh scripts/wine.sh

say "the MCP client against the official conformance suite"
npm run --silent conformance:client

say "real machines"
npm run --silent test:e2e

say "a newer QEMU"
sh scripts/newer-qemu.sh
