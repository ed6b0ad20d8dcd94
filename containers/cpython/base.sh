#!/bin/sh
# A root file system of Debian for images that start from one, where no registry is reached: base.sh FILE.tar [MIRROR]
#
#   containers/cpython/base.sh base.tar && lockstep image import python-gil base base.tar
#
# Needs root and debootstrap, which checks the archive's signature. Two runs over the same state of the archive give the
# same tree; a point release gives another, which Lockstep tells by the tree's digest.
set -eu
out=${1:?"name the archive to write: base.sh FILE.tar [MIRROR]"}
mirror=${2:-http://deb.debian.org/debian}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# Packages write the day of their installation into /etc/shadow unless they are given one.
SOURCE_DATE_EPOCH=0 debootstrap --variant=minbase trixie "$root/debian" "$mirror"
cd "$root/debian"
echo 'deb http://deb.debian.org/debian trixie main' > etc/apt/sources.list
rm -rf var/cache/apt/archives/*.deb var/lib/apt/lists/* var/log/* etc/resolv.conf
: > etc/machine-id
echo lockstep > etc/hostname
cd - > /dev/null
tar -C "$root/debian" --numeric-owner --sort=name --mtime=@0 --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' \
    -cf "$out" .
