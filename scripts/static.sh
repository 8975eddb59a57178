#!/bin/sh
# Builds snugd as one file that needs no library of the system: scripts/static.sh [x86_64] [aarch64], or both.
# The files are target/static/snugd-x86_64 and target/static/snugd-aarch64.
#
# The standard library for musl comes by rustup; the C compiler for SQLite and the cryptography is zig, by
# cargo-zigbuild: it is one and the same for both, on Linux and macOS.
set -eu

cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}

fail() {
    printf 'static.sh: %s\n' "$1" >&2
    exit 1
}

command -v cargo-zigbuild >/dev/null 2>&1 ||
    fail "Please install cargo-zigbuild and zig first: pip install cargo-zigbuild ziglang"
command -v rustup >/dev/null 2>&1 || fail "Please install rustup first, which brings the library for musl: https://rustup.rs"

[ $# -gt 0 ] || set -- x86_64 aarch64
mkdir -p "$target/static"
for machine; do
    case $machine in
        x86_64 | aarch64) ;;
        *) fail "There is x86_64 and aarch64, not $machine." ;;
    esac
    triple=$machine-unknown-linux-musl
    rustup target add "$triple"
    cargo zigbuild --locked --release --target "$triple"
    cp "$target/$triple/release/snugd" "$target/static/snugd-$machine"
    # One that asks for a loader is not static. Statically linked ones that can be moved in memory are.
    if readelf -l "$target/static/snugd-$machine" | grep -q INTERP; then
        fail "target/static/snugd-$machine wants libraries of the system."
    fi
    ls -l "$target/static/snugd-$machine"
done
