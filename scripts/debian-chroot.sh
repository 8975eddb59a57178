#!/bin/sh
# Installs the package in a new Debian in a folder, talks to the program there, and removes it again:
#
#     sudo sh scripts/debian-chroot.sh [PACKAGE.deb [RELEASE]]
#
# Without a package, the one that scripts/package.sh has made. It takes a minute or two, most of it to bring Debian's own
# packages, which is why it is no part of scripts/test.sh. Needs root, debootstrap, curl and OpenBSD's nc. There is no
# systemd in that Debian: the program is started as the unit does, by hand.
set -eu

cd "$(dirname "$0")/.."

fail() {
    printf 'debian-chroot.sh: %s\n' "$1" >&2
    exit 1
}

package=${1:-$(ls -t "${CARGO_TARGET_DIR:-target}"/debian/snugd_*.deb 2>/dev/null | head -n 1)}
[ -f "$package" ] || fail "There is no package; make one first: sh scripts/package.sh"
release=${2:-$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")}
[ "$(id -u)" -eq 0 ] || fail "Please run it as root: a new root is for root alone."
for program in debootstrap curl nc; do
    command -v "$program" >/dev/null 2>&1 || fail "Please install $program first."
done

folder=$(mktemp -d)
root=$folder/root
server=
trap 'if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi; rm -rf "$folder"' EXIT
# What root makes is for root; others go through these.
chmod 755 "$folder"

section() {
    printf '== %s\n' "$1"
}

section "A new Debian ($release)"
debootstrap --variant=minbase "$release" "$root" >"$folder/debootstrap.log" 2>&1 ||
    { tail -n 20 "$folder/debootstrap.log" >&2 && fail "It could not be made."; }

section "Installing"
cp "$package" "$root/tmp/snugd.deb"
chroot "$root" dpkg --install /tmp/snugd.deb
chroot "$root" dpkg --verify snugd
chroot "$root" dpkg --status snugd | grep -q '^Status: install ok installed' || fail "It is not installed."
for file in usr/bin/snugd etc/snugd.toml etc/default/snugd usr/share/bash-completion/completions/snugd; do
    [ -e "$root/$file" ] || fail "$file is missing."
done
for unit in snugd.service snugd.socket; do
    [ -e "$root/lib/systemd/system/$unit" ] || [ -e "$root/usr/lib/systemd/system/$unit" ] || fail "$unit is missing."
done
[ -n "$(find "$root/usr/share/man/man1" -name 'snugd.1*' 2>/dev/null || true)" ] ||
    grep -q 'path-exclude=/usr/share/man' -r "$root/etc/dpkg" || fail "The manual page is missing."
chroot "$root" snugd --version
chroot "$root" snugd check --config /etc/snugd.toml >/dev/null || fail "Its configuration is wrong."

section "Running"
install -d -o 65534 -g 65534 -m 700 "$root/var/lib/snugd"
SNUGD_CONFIG=/etc/snugd.toml SNUGD_MDNS=off chroot --userspec=65534:65534 "$root" /usr/bin/snugd \
    --data /var/lib/snugd/snugd.db --listen 127.0.0.1:0 --line-listen 127.0.0.1:0 >"$folder/output" 2>"$folder/log" &
server=$!
: >>"$folder/output"
attempts=0
until grep -q '^listening line ' "$folder/output"; do
    attempts=$((attempts + 1))
    [ $attempts -lt 100 ] || { cat "$folder/log" >&2 && fail "It does not listen."; }
    sleep 0.1
done
web=$(sed -n 's/^listening web //p' "$folder/output")
line=$(sed -n 's/^listening line //p' "$folder/output")
curl --silent --show-error --fail "http://$web/healthz" >/dev/null
curl --silent --show-error --fail "http://$web/" | grep -q '<form' || fail "There is no home page."
said=$(printf '/new ana\nhello\n' | nc -N "${line%:*}" "${line##*:}")
room=$(echo "$said" | sed -n 's/.*\* \([A-Z]\{4\}\)\. .*/\1/p')
attempts=0
until curl --silent "http://$web/api/v1/rooms/$room/events" | grep -q '"text":"hello"'; do
    attempts=$((attempts + 1))
    [ $attempts -lt 100 ] || fail "Nothing was said: $said"
    sleep 0.1
done
[ -s "$root/var/lib/snugd/snugd.db" ] || fail "Nothing is kept."
kill -TERM "$server"
status=0
wait "$server" || status=$?
server=
[ $status -eq 0 ] || fail "It ended with $status."

section "Removing"
chroot "$root" dpkg --remove snugd
[ ! -e "$root/usr/bin/snugd" ] || fail "The program is still there."
[ -e "$root/etc/snugd.toml" ] || fail "Its configuration is gone already."
chroot "$root" dpkg --purge snugd
[ ! -e "$root/etc/snugd.toml" ] || fail "Its configuration is still there."

section "All is well"
