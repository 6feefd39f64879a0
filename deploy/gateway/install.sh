#!/bin/sh
# Install, update or remove the gateway on a box: Debian 12 or 13, Raspberry Pi OS, 64 bit. Root.
#
#   sh deploy/gateway/install.sh          # from a checkout or an unpacked release; run it again to update
#   sh deploy/gateway/install.sh --help
#
# Python packages are pinned and hash-checked by requirements.lock beside this file; the package index is the one pip
# is set up for. Every version lies in a folder of its own under /opt/hearthwatch and becomes the present one by a
# link, so an install that is cut off leaves the former version running.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
program=/opt/hearthwatch
settings=/etc/hearthwatch
state=/var/lib/hearthwatch
runtime=/run/hearthwatch
unit=hearthwatch-gateway.service
command=/usr/local/bin/hearthwatch
packages='vitals gateway ingest care alerting dashboards firmware_stubs hearthwatch'
system_certificates=/etc/ssl/certs/ca-certificates.crt
# file here, its place: what every box has, and what is asked for
files="$unit /etc/systemd/system/$unit
sysusers.conf /etc/sysusers.d/hearthwatch.conf
tmpfiles.conf /etc/tmpfiles.d/hearthwatch.conf
dbus.conf /etc/dbus-1/system.d/hearthwatch.conf
polkit-bluetooth.rules /etc/polkit-1/rules.d/50-hearthwatch-bluetooth.rules
journald.conf /etc/systemd/journald.conf.d/hearthwatch.conf
system.conf /etc/systemd/system.conf.d/hearthwatch.conf"
files_reboot='polkit-reboot.rules /etc/polkit-1/rules.d/50-hearthwatch-reboot.rules'
files_alarm="alarm-output.conf /etc/systemd/system/$unit.d/alarm-output.conf
leds.rules /etc/udev/rules.d/70-hearthwatch-leds.rules"

export DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export PIP_CERT="${PIP_CERT:-$system_certificates}"

say() { echo "install: $*" >&2; }
die() { say "$*"; exit 1; }
has() { command -v "$1" > /dev/null 2>&1; }
runs_systemd() { [ -d /run/systemd/system ]; }

help() {
    cat << HELP
sh deploy/gateway/install.sh [OPTION]...

Installs or updates the gateway on this box (Debian 12 or 13, Raspberry Pi OS, 64 bit; root):
  by apt                bluez, dbus, polkitd, python3-venv, ca-certificates, and a time service where there is none
  $program      the program, a Python environment of its own
  $settings      key, certificate and settings, of the user hearthwatch
  $state  the outbox: readings that are not stored yet
  $unit, rules for D-Bus and polkit, bounds for the journal, $command

  --allow-reboot    the gateway may reboot the box when nothing else brings Bluetooth back
                    (and set reboot_allowed = true in $settings/gateway.toml)
  --alarm-output    the gateway may use the sound card and the LEDs for its local alarm
  --uninstall       remove the program and the service; settings and outbox stay
  --purge           with --uninstall: remove settings, key and outbox too
  --help            this page

Without a network: PIP_NO_INDEX=1 PIP_FIND_LINKS=/media/stick/wheels sh deploy/gateway/install.sh, with the wheels
fetched before by: pip download --only-binary :all: --require-hashes -r deploy/gateway/requirements.lock -d wheels
HELP
}

main() {
    act=install
    purge=
    for option; do
        case $option in
        --allow-reboot) files="$files
$files_reboot" ;;
        --alarm-output) files="$files
$files_alarm" ;;
        --uninstall) act=uninstall ;;
        --purge) purge=yes ;;
        --help | -h) help; exit 0 ;;
        *) help >&2; die "there is no option '$option'" ;;
        esac
    done
    [ "$(id -u)" = 0 ] || die "please run it as root: sudo sh $0"
    if [ "$act" = uninstall ]; then uninstall; return; fi
    [ -z "$purge" ] || die "--purge goes with --uninstall"
    check_system
    install_system_packages
    install_program
    install_files
    switch_on
}

check_system() {
    [ -r /etc/os-release ] || die "this is no Debian: /etc/os-release is missing"
    # shellcheck source=/dev/null
    . /etc/os-release
    case "${ID:-} ${ID_LIKE:-}" in
    *debian*) ;;
    *) die "this is ${PRETTY_NAME:-no Debian}; Debian 12, 13 and Raspberry Pi OS are known to work" ;;
    esac
    [ "${VERSION_ID:-0}" -ge 12 ] 2> /dev/null || die "${PRETTY_NAME:-this release} is too old: Debian 12 is the least"
    case $(uname -m) in
    x86_64 | aarch64) ;;
    *) die "this is $(uname -m); a 64 bit system is wanted (Raspberry Pi OS Lite, 64 bit)" ;;
    esac
}

install_system_packages() {
    missing=
    for package in ca-certificates bluez dbus polkitd python3-venv; do
        is_installed "$package" || missing="$missing $package"
    done
    is_installed systemd-timesyncd chrony ntpsec ntp openntpd || missing="$missing systemd-timesyncd"
    if [ -n "$missing" ]; then
        say "installing by apt:$missing"
        # Old lists name files that are gone: fetch new ones before giving up.
        # shellcheck disable=SC2086 # one word, one package
        apt_install $missing 2> /dev/null || { apt-get update -qq >&2; apt_install $missing; }
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "Python 3.11 or newer is needed"
}

is_installed() {    # any of them
    for one; do
        case $(dpkg-query -W -f '${Status}' "$one" 2> /dev/null) in
        'install ok installed') return 0 ;;
        esac
    done
    return 1
}

apt_install() { apt-get install -qq -y --no-install-recommends "$@" > /dev/null; }

install_program() {
    stamp=$(fingerprint_of_version)
    new=$program/$stamp
    if [ -e "$new/.complete" ]; then
        say "version $stamp is there"
    else
        say "installing version $stamp into $new"
        rm -rf "$new"
        mkdir -p "$program"
        python3 -m venv "$new"
        "$new/bin/pip" install --quiet --no-cache-dir --only-binary :all: --require-hashes \
            -r "$here/requirements.lock" >&2
        "$new/bin/pip" install --quiet --no-cache-dir --no-index --no-deps --no-build-isolation "$source" >&2
        compile_bytecode
        "$new/bin/hearthwatch" --version > /dev/null || die "the installed program does not start"
        : > "$new/.complete"
    fi
    former=$(readlink "$program/venv" || true)
    if [ "$former" != "$stamp" ]; then
        ln -sfn "$stamp" "$program/venv.new"
        mv -T "$program/venv.new" "$program/venv"
        for old in "$program"/*/; do    # the former version stays: ln -sfn FORMER /opt/hearthwatch/venv goes back to it
            old=$(basename "$old")
            case $old in "$stamp" | "$former" | venv) ;; *) rm -rf "${program:?}/$old" ;; esac
        done
    fi
    # The settings file is named for every command; the file does not have to be there yet.
    write "$command" 755 << WRAPPER
#!/bin/sh
: "\${HEARTHWATCH_GATEWAY_CONFIG=$settings/gateway.toml}"
export HEARTHWATCH_GATEWAY_CONFIG
exec $program/venv/bin/hearthwatch "\$@"
WRAPPER
}

# Pip does it unless it is set up not to. The service can not: its system is read-only, and a gateway that compiles
# at each start starts later and takes 6 MB more, for as long as it runs.
compile_bytecode() {
    "$new/bin/python" -m compileall -q "$new/lib" >&2 || say "some files can not be compiled: named above"
}

fingerprint_of_version() {    # of everything that is installed: the same twice is installed once
    cd "$source"
    {
        python3 --version
        cat "$here/requirements.lock" pyproject.toml
        # shellcheck disable=SC2086 # one word, one folder
        find $packages -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum
    } | sha256sum | cut -c 1-12
}

install_files() {
    echo "$files" | while read -r file place; do
        write "$place" 644 < "$here/$file"
    done
    systemd-sysusers hearthwatch.conf
    systemd-tmpfiles --create hearthwatch.conf
    install -d -o hearthwatch -g hearthwatch -m 750 "$state"
}

write() {    # replaces a file whole, from stdin
    mkdir -p "$(dirname "$1")"
    cat > "$1.new"
    chmod "$2" "$1.new"
    mv "$1.new" "$1"
}

switch_on() {
    ! has rfkill || rfkill unblock bluetooth || true
    systemctl --quiet enable "$unit" bluetooth.service
    if runs_systemd; then
        systemctl daemon-reexec    # also takes up the machine's watchdog
        systemctl reload dbus
        systemctl restart systemd-journald
        if has udevadm; then
            udevadm control --reload
            udevadm trigger --subsystem-match=leds --action=change    # the rules are for LEDs that are there already
        fi
        systemctl restart "$unit"
    else
        say "systemd does not run here: the service is enabled and starts with the box"
    fi
    if [ -e "$settings/gateway.toml" ]; then
        say "done; look at it with: hearthwatch gateway selftest"
    else
        say "done; this box has no identity yet: hearthwatch gateway enrol --gateway-id NAME"
    fi
}

uninstall() {
    if has systemctl; then
        systemctl --quiet disable "$unit" 2> /dev/null || true
        ! runs_systemd || systemctl stop "$unit" 2> /dev/null || true
    fi
    waiting=$(count_waiting)    # after the last that it could send, and while there is a program that can count
    in_memory=$(count_in_memory)
    printf '%s\n%s\n%s\n' "$files" "$files_reboot" "$files_alarm" | while read -r _ place; do rm -f "$place"; done
    rmdir "/etc/systemd/system/$unit.d" 2> /dev/null || true
    rm -rf "$program" "$command"
    ! runs_systemd || { systemctl daemon-reload; systemctl reload dbus; }
    say "removed: the program ($program), $command, the service and its rules"
    if [ -n "$purge" ]; then
        rm -rf "$settings" "$state" "$runtime"
        ! id hearthwatch > /dev/null 2>&1 || userdel hearthwatch
        say "removed: key and settings ($settings), the user hearthwatch"
        say "removed: the outbox ($state), with $waiting readings that the centre had not stored"
        [ -z "$in_memory" ] || say "removed: $in_memory more that were in memory only ($runtime): the disk refused them"
        say "at the site: hearthwatch site revoke NAME"
    else
        say "kept: key and settings ($settings), the user hearthwatch"
        say "kept: the outbox ($state), with $waiting readings that the centre has not stored"
        [ -z "$in_memory" ] || say "in memory only ($runtime): $in_memory more, lost when the box is switched off"
        say "--uninstall --purge removes these too"
    fi
}

count_waiting() {
    [ -e "$state/outbox.sqlite" ] || { echo no; return; }
    "$command" gateway status 2> /dev/null \
        | "$program/venv/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["outbox"]["depth"])' 2> /dev/null \
        || echo 'an unknown number of'
}

# What the gateway took while the disk refused (docs/outbox.md); nothing is printed where there is none.
count_in_memory() {
    for outbox in "$runtime"/hearthwatch-*/outbox.sqlite; do
        [ -e "$outbox" ] || continue
        "$program/venv/bin/python" - "$outbox" 2> /dev/null << 'END' || echo 'an unknown number of readings'
import sqlite3, sys
from pathlib import Path
rows = sqlite3.connect(f"{Path(sys.argv[1]).as_uri()}?mode=ro", uri=True).execute("SELECT count(*) FROM reading")
count = rows.fetchone()[0]
print(f"{count} readings" if count else "", end="")
END
    done
}

main "$@"
