#!/bin/sh
# Runs a static program as the container does: in a folder with nothing else in it but devices as its root, as a user without rights.
#
#     sudo sh scripts/empty-root.sh [PROGRAM]
#
# Without a program, one is built for this machine's own library, but static; as scripts/static.sh makes them, they are
# for musl. Needs root (another root is for root alone) and curl.
set -eu

cd "$(dirname "$0")/.."

fail() {
    printf 'empty-root.sh: %s\n' "$1" >&2
    exit 1
}

[ "$(id -u)" -eq 0 ] || fail "Please run it as root: another root is for root alone."
program=${1:-}
if [ -z "$program" ]; then
    triple=$(rustc -vV | sed -n 's/^host: //p')
    # A target that is named is built apart, so that what runs while building is not static.
    RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --release --target "$triple"
    program=${CARGO_TARGET_DIR:-target}/$triple/release/snugd
fi
if readelf -l "$program" | grep -q INTERP; then
    fail "$program wants libraries of the system."
fi

folder=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi; rm -rf "$folder"' EXIT
chmod 755 "$folder"
root=$folder/root
mkdir -p "$root"
install -m 755 "$program" "$root/snugd"
install -d -o 65532 -g 65532 "$root/data"
# What every container has (OCI Runtime Specification, default devices); random numbers come from there where the library
# has no way to ask the system.
mkdir "$root/dev"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9

# To be called in a shell of its own, which it becomes.
as_container() {
    exec env -i PATH="$PATH" SNUGD_DATA=/data/snugd.db SNUGD_MDNS=off chroot --userspec=65532:65532 --groups= "$root" /snugd "$@"
}

as_container --listen 127.0.0.1:0 --line-listen 127.0.0.1:0 >"$folder/output" 2>"$folder/log" &
server=$!
: >>"$folder/output"
attempts=0
until grep -q '^listening line ' "$folder/output"; do
    attempts=$((attempts + 1))
    [ $attempts -lt 100 ] || { cat "$folder/log" >&2 && fail "It does not listen."; }
    sleep 0.1
done
web=$(sed -n 's/^listening web //p' "$folder/output")
curl --silent --show-error --fail "http://$web/" | grep -q '<form' || fail "There is no home page."
curl --silent --show-error --fail --request POST "http://$web/api/v1/rooms" | grep -q room || fail "There is no room."
(as_container healthcheck --url "http://$web") || fail "The health check fails."
(as_container backup /data/snugd.db --to /data/copy.db) || fail "There is no backup."
if (as_container healthcheck --url "http://127.0.0.1:1") 2>/dev/null; then
    fail "The health check says that all is well where nothing is."
fi
kill -TERM "$server"
status=0
wait "$server" || status=$?
server=
[ $status -eq 0 ] || fail "It ended with $status."
ls -l "$root/snugd" "$root/data"
echo "All is well."
