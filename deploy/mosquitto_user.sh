#!/bin/sh
# Fetch Mosquitto >= 2.0.21 into a folder of its own: no root, nothing of the system is changed.
#
#   deploy/mosquitto_user.sh DEST      # prints DEST; does nothing when a working broker is there
#
# Debian 12 ships 2.0.11, which loses MQTT 5 flow control, so its backports are asked there; Debian 13's own
# package is new enough. The mirror is the one apt already uses. Run the broker with
#   LD_LIBRARY_PATH=DEST/usr/lib/<triplet> DEST/usr/sbin/mosquitto
set -eu
say() { echo "mosquitto: $*" >&2; }
[ $# -eq 1 ] || { say "usage: $0 DEST"; exit 2; }
dest=$1
want=2.0.21
. /etc/os-release
codename=$VERSION_CODENAME

works() {    # the libraries of a system change; a broker that was fetched for others must be fetched anew
    [ -x "$1/usr/sbin/mosquitto" ] || return 1
    for libraries in "$1"/usr/lib/*-linux-gnu*; do break; done
    ! LD_LIBRARY_PATH=$libraries ldd "$1/usr/sbin/mosquitto" 2>&1 | grep -q 'not found'
}

mkdir -p "$(dirname "$dest")"
exec 9>"$dest.lock"
flock 9
if works "$dest"; then echo "$dest"; exit 0; fi

mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' \
    'Created-By: Packages' 'Origin: Debian' 'Component: main' | awk -v c="$codename" '$1 == c { print $2; exit }')
[ -n "$mirror" ] || { say "apt has no package lists for $codename yet: run 'apt-get update' as root first"; exit 1; }

# An apt of our own: its lists, cache and sources lie under $work; only dpkg's list of what is installed is the system's.
work=$dest.tmp
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/root"
key=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$key] $mirror $codename main" > "$work/sources.list"
[ "$codename" != bookworm ] || echo "deb [signed-by=$key] $mirror $codename-backports main" >> "$work/sources.list"
cat > "$work/apt.conf" <<CONF
Dir::State::lists "$work/lists/";
Dir::Cache "$work/cache/";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "/dev/null";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Sandbox::User "";
Debug::NoLocking "1";
CONF
export APT_CONFIG="$work/apt.conf"

say "fetching Mosquitto for Debian $codename into $dest"
apt-get update -qq >&2
package=mosquitto
[ "$codename" != bookworm ] || package=mosquitto/$codename-backports
apt-get install -qq --download-only --no-install-recommends --reinstall "$package" > "$work/apt.log" 2>&1 ||
    { cat "$work/apt.log" >&2; exit 1; }
for deb in "$work"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
works "$work/root" || { say "the broker does not find its libraries:"; ldd "$work/root/usr/sbin/mosquitto" >&2; exit 1; }
version=$(dpkg-deb -f "$work"/cache/archives/mosquitto_*.deb Version)
dpkg --compare-versions "$version" ge "$want" || { say "the mirror has $version only; $want or newer is needed"; exit 1; }
rm -rf "$dest"
mv "$work/root" "$dest"
rm -rf "$work"
say "version $version is there"
echo "$dest"
