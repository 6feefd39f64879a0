#!/bin/sh
# Build a real TimescaleDB (Apache edition, PostgreSQL 17, Debian 13 packages) in a folder of its own. Root.
#
#   deploy/timescale_root.sh ROOT      # prints ROOT; does nothing when it is built already
#
# Debian 12 has no TimescaleDB, and pulling Debian 13's packages onto it would replace its C library; a small
# Debian 13 root beside the system leaves the system alone. Nothing is ever mounted inside it, so
# `rm -rf ROOT` is safe: the servers run in it with System V shared memory, without /proc and /dev/shm.
# hearthwatch.services.timescale runs servers in it, each on data of its own under ROOT/var/lib/hearthwatch.
set -eu
say() { echo "timescale: $*" >&2; }
[ $# -eq 1 ] || { say "usage: $0 ROOT"; exit 2; }
root=$1
suite=trixie
postgres=17
key=/usr/share/keyrings/debian-archive-keyring.gpg
[ ! -e "$root/.hearthwatch-complete" ] || { echo "$root"; exit 0; }
[ "$(id -u)" = 0 ] || { say "building the Debian 13 root needs root"; exit 2; }

mkdir -p "$(dirname "$root")"
exec 9>"$root.lock"
flock 9
[ ! -e "$root/.hearthwatch-complete" ] || { echo "$root"; exit 0; }

export DEBIAN_FRONTEND=noninteractive
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' |
        grep -v security | head -n 1
}
[ -n "$(mirror)" ] || apt-get update -qq >&2
command -v mmdebstrap > /dev/null || {
    say "installing mmdebstrap"
    apt-get install -qy --no-install-recommends mmdebstrap >&2
}

say "building PostgreSQL $postgres with TimescaleDB in $root (about 20 s)"
rm -rf "$root" "$root.tmp"
mmdebstrap --quiet --variant=minbase --mode=root --format=directory \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
    --aptopt='Acquire::Retries "3"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/lib/*/libLLVM*' --dpkgopt='path-exclude=/usr/lib/*/libz3*' \
    --dpkgopt='path-exclude=/usr/lib/llvm-*/*' --dpkgopt='path-exclude=/usr/lib/postgresql/*/lib/bitcode/*' \
    --essential-hook='mkdir -p "$1/etc/postgresql-common"' \
    --essential-hook='echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"' \
    --include="postgresql-$postgres,postgresql-$postgres-timescaledb" \
    "$suite" "$root.tmp" "deb [signed-by=$key] $(mirror) $suite main" >&2
# Anyone may keep a cluster of his own here: as root it belongs to postgres, without root to the user himself.
install -d -m 1777 "$root.tmp/var/lib/hearthwatch"
chroot "$root.tmp" dpkg-query -W -f '${Package} ${Version}\n' \
    "postgresql-$postgres" "postgresql-$postgres-timescaledb" > "$root.tmp/.hearthwatch-complete"
mv "$root.tmp" "$root"
cat "$root/.hearthwatch-complete" >&2
echo "$root"
