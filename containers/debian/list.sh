#!/bin/sh
# The packages that a build adds to a root file system of Debian, by hash: list.sh BASE.tar PACKAGE… > NAME.txt
#
#   containers/debian/list.sh base.tar gcc libc6-dev libssl-dev make pkgconf xz-utils zlib1g-dev > containers/debian/cpython.txt
#
# Needs root. The apt of the root file system itself decides: it checks the archive's signature, knows what is installed
# there already, and takes what is wanted now. What it would fetch is printed, each file with the hash that the archive's
# signed index gives it; nothing is installed. `lockstep lock` fetches every file and holds it against its hash.
set -eu
base=${1:?"name the root file system: list.sh BASE.tar PACKAGE…"}
shift
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
tar -xf "$base" -C "$root"
mkdir -p "$root/dev"
mknod -m 666 "$root/dev/null" c 1 3
cp /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" apt-get -q update >&2
chroot "$root" apt-get install -qq -y --no-install-recommends --print-uris \
    -o Acquire::ForceHash=SHA256 "$@" > "$root/uris"
echo "# Made by containers/debian/list.sh BASE.tar $*"
# 'URL' FILE BYTES SHA256:HEX; in a URL, apt writes some signs that need no escape as escapes.
sed -n "s/^'\([^']*\)' [^ ]* [0-9]* SHA256:\([0-9a-f]\{64\}\)$/\1 sha256:\2/p" "$root/uris" \
    | sed 's/%2b/+/g; s/%7e/~/g; s/^http:/https:/' | LC_ALL=C sort > "$root/list"
test "$(wc -l < "$root/list")" = "$(wc -l < "$root/uris")" || { echo "list.sh: apt gave a file no SHA-256" >&2; exit 1; }
cat "$root/list"
