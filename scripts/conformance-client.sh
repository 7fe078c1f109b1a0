#!/bin/sh
# The official conformance suite against our client, once for each revision it serves. The suite itself
# needs Node 22 (it imports globSync); the client under test runs on the Node that is here.
set -eu
cd "$(dirname "$0")/.."

folder=".cache/node-22"
package="node-linux-$(node -p 'process.arch')"
program="$folder/node_modules/$package/bin/node"
[ -x "$program" ] || npm install --silent --no-save --no-audit --no-fund --prefix "$folder" "$package@22"

suite="node_modules/@modelcontextprotocol/conformance/dist/index.js"
results=".cache/conformance"
rm -rf "$results"
status=0
for revision in ${*:-2026-07-28 2025-11-25}; do
  mkdir -p "$results"
  "$program" "$suite" client --command "node test/fixtures/mcp/conformance-client.mjs" \
    --requirements "$revision" --timeout 120000 -o "$results/$revision" >"$results/$revision.log" 2>&1 || status=1
  echo "$revision"
  # what is counted, and the extensions, which the suite runs without scoring them
  sed -n '/=== SUITE SUMMARY ===/,$p' "$results/$revision.log" | grep -E '^(✓|✗|Total:)' || status=1
  if grep -q '^✗' "$results/$revision.log"; then status=1; fi
done
exit $status
