#!/bin/sh
# Builds snugd, the floor and the load generator, then runs the bench: `sh benches/run.sh [--quick] [--only S1,S3] …`
# Peers take part if benches/peers/install.sh has installed them. `--help` lists the options.
set -eu

benches=$(cd "$(dirname "$0")" && pwd)
cargo build --quiet --release --manifest-path "$benches/../Cargo.toml"
cargo build --quiet --release --manifest-path "$benches/load/Cargo.toml"
snugd=${CARGO_TARGET_DIR:-$benches/../target}/release/snugd
load=${CARGO_TARGET_DIR:-$benches/load/target}/release/snugd-load
exec "$load" --snugd "$snugd" "$@"
