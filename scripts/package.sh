#!/bin/sh
# Makes the Debian package: target/debian/snugd_VERSION_ARCHITECTURE.deb. Needs cargo-deb (cargo install cargo-deb).
set -eu

cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
parts=target/package

command -v cargo-deb >/dev/null 2>&1 || {
    echo "package.sh: Please install cargo-deb first: cargo install cargo-deb" >&2
    exit 1
}

cargo build --locked --release
rm -rf "$parts"
mkdir -p "$parts/completions"
# Both are made of the same definition as --help.
cargo run --locked --quiet --example man -- "$parts/man"
for shell in bash zsh fish; do
    "$target/release/snugd" completions "$shell" >"$parts/completions/$shell"
done
cargo deb --locked --no-build "$@"
