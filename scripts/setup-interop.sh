#!/bin/sh
# Installs the public MCP servers that test/interop/ is tried against, each pinned: Node's beside their
# package-lock.json, Python's and Go's under .cache/interop/. Doing it again changes nothing.
set -eu
cd "$(dirname "$0")/.."
cache="$PWD/.cache/interop"
mkdir -p "$cache/bin"

say() { printf 'interop: %s\n' "$*" >&2; }

# the same lock means nothing to do
is_fresh() { cmp -s "$1" "$2"; }

# Node: 12 servers, none of whose install scripts is needed
stamp=test/interop/node_modules/.luminaguard-lock
if ! is_fresh test/interop/package-lock.json "$stamp"; then
  say "npm ci in test/interop"
  npm ci --prefix test/interop --ignore-scripts --no-audit --no-fund --loglevel=error
  cp test/interop/package-lock.json "$stamp"
fi

# Python
stamp="$cache/python/.luminaguard-lock"
if ! is_fresh test/interop/requirements.txt "$stamp"; then
  if python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    say "pip install of test/interop/requirements.txt into $cache/python"
    python3 -m venv --clear "$cache/python"
    "$cache/python/bin/pip" install --quiet --disable-pip-version-check --no-deps \
      --requirement test/interop/requirements.txt
    cp test/interop/requirements.txt "$stamp"
  else
    say "skipped Python's servers: they need Python 3.10 or later with venv (package python3-venv)"
  fi
fi

# Go
stamp="$cache/bin/.luminaguard-lock"
if ! is_fresh test/interop/go/go.sum "$stamp"; then
  if command -v go >/dev/null 2>&1 && go version | grep -qE 'go1\.(2[5-9]|[3-9][0-9])'; then
    say "go build of the servers in test/interop/go/go.mod into $cache/bin"
    (
      cd test/interop/go
      go build -o "$cache/bin/go-sdk-everything" github.com/modelcontextprotocol/go-sdk/examples/server/everything
      go build -o "$cache/bin/mcp-go-everything" github.com/mark3labs/mcp-go/examples/everything
    )
    cp test/interop/go/go.sum "$stamp"
  else
    say "skipped Go's servers: they need Go 1.25 or later"
  fi
fi
