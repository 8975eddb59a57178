#!/bin/sh
# Runs the simulation against mutants: copies of the sources with one known bug each. Every one has to be found, for
# an oracle that has never been seen to fail proves nothing. Each mutant is a patch of tests/simulation/mutants that
# says at its top what the bug is. Where the simulation cannot see a bug, a line `Test: …` there holds the arguments of
# `cargo test` that run the test which does.
#
# A failure of this script names the mutants that were not found. MUTANT_SEEDS histories are tried at the most (2000).
# What is built is kept in MUTANT_TARGET_DIR (target/mutants).
#
#   scripts/mutants.sh                    every mutant
#   scripts/mutants.sh lost-edge …        these
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
seeds=${MUTANT_SEEDS:-2000}
limit_s=600
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
trap 'exit 1' INT TERM

# A folder of its own for what is built: cargo would take a copy's artifacts for those of the sources.
CARGO_TARGET_DIR=${MUTANT_TARGET_DIR:-$root/target/mutants}
export CARGO_TARGET_DIR

# Every file is as new as this run, so that cargo takes nothing of an earlier copy for this one's.
copy_sources() {
    mkdir "$copy/tree"
    (cd "$root" && tar cf - --exclude=./target --exclude=./.git --exclude=./benches .) | (cd "$copy/tree" && tar xmf -)
    # The manifest names the benches; cargo wants to find them.
    mkdir -p "$copy/tree/benches/micro"
    for bench in micro/main files logins page data_file; do
        echo 'fn main() {}' >"$copy/tree/benches/$bench.rs"
    done
}

change_sources() {
    patch --quiet -p1 -d "$copy/tree" "$@"
}

# The arguments of `cargo test` for a patch.
test_of() {
    sed -n '/^---/q; s/^Test: //p' "$1" | grep . || echo "--test simulation"
}

# Builds the test, and runs it.
run_test() {
    cd "$copy/tree"
    # The arguments are words.
    # shellcheck disable=SC2086
    cargo test --quiet --locked $1 --no-run >"$copy/build" 2>&1 || return 2
    # shellcheck disable=SC2086
    SIMULATION_SEEDS=$seeds RUST_BACKTRACE=0 timeout "$limit_s" cargo test --quiet --locked $1 >"$copy/output" 2>&1
}

# What the test said when it failed: which history or which test, and the first words of the panic.
finding() {
    history=$(sed -n 's/^seed \([0-9]*\): .*/history \1/p' "$copy/output" | head -n 1)
    failed=$(sed -n 's/^---- \(.*\) stdout ----$/\1/p' "$copy/output" | head -n 1)
    thread=${history:+every_history_keeps_the_promises}
    words=$(grep -A 2 "^thread '${thread:-.*}'.* panicked at" "$copy/output" | sed -n 2p | cut -c 1-100)
    echo "${history:-${failed:+test $failed}}: $words"
}

# Names of patches are words.
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(cd "$root/tests/simulation/mutants" && ls | sed 's/\.patch$//')
copy_sources
for name in "$@"; do
    change_sources --dry-run <"$root/tests/simulation/mutants/$name.patch" || {
        printf '%s: the patch does not fit the sources any more\n' "$name" >&2
        exit 1
    }
done
missed=
for name in "$@"; do
    patch=$root/tests/simulation/mutants/$name.patch
    change_sources <"$patch"
    : >"$copy/output"
    status=0
    (run_test "$(test_of "$patch")") || status=$?
    if [ "$status" -eq 2 ] && grep -q '^error' "$copy/build"; then
        printf '%s: does not compile\n' "$name" >&2
        cat "$copy/build" >&2
    fi
    found=$(finding)
    # A failing test names itself; whatever else goes wrong has found nothing.
    if [ "$status" -ne 0 ] && [ "${found#:}" = "$found" ]; then
        printf 'found     %-45s by %s\n' "$name" "$found"
    else
        printf 'NOT FOUND %s\n' "$name"
        missed="$missed $name"
    fi
    change_sources --reverse <"$patch"
done

if [ -n "$missed" ]; then
    printf 'mutants.sh: not found:%s\n' "$missed" >&2
    exit 1
fi
