#!/bin/sh
# A real run on a real folder: the card is drawn, nothing is applied.
set -eu
cd "$(dirname "$0")/.."
luminaguard="$PWD/bin/luminaguard"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -R examples/shop/. "$folder"
cd "$folder"
echo '$ luminaguard run --apply never -- sh tidy.sh' >&2
status=0
"$luminaguard" run --apply never -- sh tidy.sh || status=$?
# 10: the command was fine, its changes are kept and not applied
[ "$status" = 10 ] || exit "$status"
