#!/bin/sh
# Plants one bug at a time in a copy of the sources, and demands that the simulation finds it: an oracle that
# has never been seen to fail proves nothing. Each bug is a patch of tests/simulation/plants that says what it is.
# A failure of this script names the bugs that were not found. PLANT_SEEDS histories are tried at the most (2000).
#
#   scripts/plant.sh                    every bug
#   scripts/plant.sh lost-edge …        these
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
seeds=${PLANT_SEEDS:-2000}
limit_s=300
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
trap 'exit 1' INT TERM

# A folder of its own for what is built: cargo would take a copy's artifacts for those of the sources.
CARGO_TARGET_DIR=${PLANT_TARGET_DIR:-$root/target/plants}
export CARGO_TARGET_DIR

copy_sources() {
    rm -rf "${copy:?}/tree"
    mkdir "$copy/tree"
    (cd "$root" && tar cf - --exclude=./target --exclude=./.git --exclude=./benches . ) | (cd "$copy/tree" && tar xmf -)
    # The manifest names the benches; cargo wants to find them.
    mkdir -p "$copy/tree/benches"
    cp "$root"/benches/*.rs "$copy/tree/benches/" 2>/dev/null || true
}

# Builds the simulation of the copy, and runs it.
simulate() {
    cd "$copy/tree"
    cargo test --quiet --locked --test simulation --no-run >"$copy/build" 2>&1 || return 2
    SIMULATION_SEEDS=$seeds RUST_BACKTRACE=0 timeout "$limit_s" cargo test --quiet --locked --test simulation \
        >"$copy/output" 2>&1
}

missed=
# Names of patches are words.
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(cd "$root/tests/simulation/plants" && ls | sed 's/\.patch$//')
for name in "$@"; do
    patch=$root/tests/simulation/plants/$name.patch
    copy_sources
    (cd "$copy/tree" && patch --quiet -p1 <"$patch") || {
        printf '%s: the patch does not fit the sources any more\n' "$name" >&2
        exit 1
    }
    status=0
    (simulate) || status=$?
    # A panic names its seed; whatever else goes wrong has found nothing.
    found=$(sed -n 's/^seed \([0-9]*\): .*/\1/p' "$copy/output" 2>/dev/null | head -n 1)
    if [ "$status" -eq 2 ] && grep -q '^error' "$copy/build"; then
        printf '%s: does not compile\n' "$name" >&2
        cat "$copy/build" >&2
        exit 1
    elif [ "$status" -ne 0 ] && [ -n "$found" ]; then
        words=$(grep -A 2 "panicked at" "$copy/output" | sed -n 2p | cut -c 1-100)
        printf 'found    %-45s by history %4s: %s\n' "$name" "$found" "$words"
    else
        printf 'NOT FOUND %s\n' "$name"
        missed="$missed $name"
    fi
    : >"$copy/output"
done

if [ -n "$missed" ]; then
    printf 'plant.sh: not found:%s\n' "$missed" >&2
    exit 1
fi
