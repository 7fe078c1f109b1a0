#!/bin/sh
# QEMU maps a template's memory read-only from 8.2 on, which is later than Debian 12's. Its suites run once more on
# the one of Debian's backports, which is unpacked and not installed. The walls show programs below /usr only.
set -eu
cd "$(dirname "$0")/.."

skip() { printf 'skipped: %s\n' "$*" && exit 0; }

folder=/usr/local/lib/luminaguard-test/qemu
if [ ! -x "$folder/bin/qemu-system-x86_64" ]; then
  [ "$(uname -m)" = x86_64 ] || skip "only the QEMU for x86-64 hosts is fetched"
  codename=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME") || skip "this host is not Debian"
  [ "$(id -u)" = 0 ] || skip "only root can put a second QEMU below /usr"
  site=$(apt-get indextargets --format '$(SITE)' 2>/dev/null | head -n 1)
  [ -n "$site" ] || skip "apt has no package lists: sudo apt-get update"

  own=$(mktemp -d)
  trap 'rm -rf "$own"' EXIT
  mkdir -p "$own/lists/partial" "$own/cache/archives/partial" "$own/packages" "$own/root"
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb [signed-by=$keyring] $site $codename-backports main" >"$own/sources.list"
  own_apt() {
    apt-get -qq -o Dir::Etc::sourcelist="$own/sources.list" -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root \
      -o Dir::State::lists="$own/lists" -o Dir::Cache="$own/cache" -o Acquire::Languages=none \
      -o APT::Update::Error-Mode=any "$@" >/dev/null 2>&1
  }
  own_apt update || skip "no backports at $codename's mirror"
  (cd "$own/packages" && own_apt download qemu-system-x86 qemu-system-common qemu-system-data) ||
    skip "no newer QEMU in $codename's backports"
  for package in "$own"/packages/*.deb; do dpkg-deb --extract "$package" "$own/root"; done
  mkdir -p "$(dirname "$folder")"
  rm -rf "$folder"
  cp -a "$own/root/usr" "$folder"
fi

"$folder/bin/qemu-system-x86_64" --version | head -n 1 || skip "the newer QEMU does not start on this host"
PATH="$folder/bin:$PATH" npx vitest run --project e2e test/e2e/qemu-conformance.test.ts test/e2e/snapshots.test.ts \
  test/security/template-cannot-be-changed.test.ts test/security/vmm-is-confined.test.ts
