#!/bin/sh
# Runs every check: formatting, lints, documentation, every test. Installs what the tests need from the
# distribution's packages first, if it is not there. Works from any directory; ends at the first failure.
set -eu

cd "$(dirname "$0")/.."

section() {
    printf '\n== %s\n' "$1"
}

fail() {
    printf 'test.sh: %s\n' "$1" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

have_browser() {
    [ -n "${CHROME:-}" ] && return 0
    for browser in chromium chromium-browser google-chrome google-chrome-stable; do
        if have "$browser"; then return 0; fi
    done
    [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]
}

have_firefox() {
    have firefox-esr || have firefox
}

# The nc whose -N closes its sending half after the end of its input: OpenBSD's, which macOS has too.
have_nc() {
    have nc && nc -h 2>&1 | grep -q -e '-N'
}

# Servers and games are not on everybody's path.
have_somewhere() {
    have "$1" || [ -x "/usr/sbin/$1" ] || [ -x "/usr/games/$1" ]
}

# Whether the distribution has this package at all.
is_offered() {
    have apt-cache && apt-cache show "$1" >/dev/null 2>&1
}

# Debian's Python knows Debian's packages; another one that comes first on the path does not.
have_python_websockets() {
    /usr/bin/python3 -c 'import websockets' 2>/dev/null
}

# What looks whether pages keep anybody out; the tests alone need it.
AXE_VERSION=4.14.1
npm_folder="${CARGO_TARGET_DIR:-target}/npm"

have_axe() {
    grep -q "\"version\": \"$AXE_VERSION\"" "$npm_folder/node_modules/axe-core/package.json" 2>/dev/null
}

have_prometheus_parser() {
    /usr/bin/python3 -c 'import prometheus_client.openmetrics.parser' 2>/dev/null
}

have_node_ws() {
    have node && NODE_PATH=/usr/share/nodejs node -e 'require("ws")' 2>/dev/null
}

# The Debian packages of what the tests drive and is not there.
missing_packages() {
    have cc || printf ' gcc libc6-dev'
    have_axe || have npm || printf ' npm'
    have_browser || printf ' chromium'
    have_nc || printf ' netcat-openbsd'
    have telnet || printf ' telnet'
    have promtool || printf ' prometheus'
    have_prometheus_parser || printf ' python3-prometheus-client'
    # What follows is driven on Linux alone.
    [ "$(uname)" = Linux ] || return 0
    have_firefox || printf ' firefox-esr'
    have WebKitWebDriver || printf ' webkit2gtk-driver'
    have Xvfb || printf ' xvfb'
    have unshare || printf ' util-linux'
    have ip || printf ' iproute2'
    have bash || printf ' bash'
    have zsh || printf ' zsh'
    have fish || printf ' fish'
    have groff || printf ' groff-base'
    have nc.openbsd || printf ' netcat-openbsd'
    have nc.traditional || printf ' netcat-traditional'
    have ncat || printf ' ncat'
    have busybox || printf ' busybox'
    have socat || printf ' socat'
    have plink || printf ' putty-tools'
    have_somewhere tt++ || printf ' tintin++'
    have curl || printf ' curl'
    have wget || printf ' wget'
    have openssl || printf ' openssl'
    have dbus-daemon || printf ' dbus-daemon'
    have_somewhere avahi-daemon || printf ' avahi-daemon'
    have avahi-browse || printf ' avahi-utils'
    have_python_websockets || printf ' python3-websockets'
    have_node_ws || printf ' node-ws'
    have_somewhere nginx || printf ' nginx-light'
    [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || printf ' libnginx-mod-stream'
    have_somewhere haproxy || printf ' haproxy'
    have_somewhere apache2 || printf ' apache2-bin'
    have_somewhere redis-server || printf ' redis-server'
    have_somewhere redis-sentinel || printf ' redis-sentinel'
    have redis-cli || printf ' redis-tools'
    # Not every distribution has it; where it is, the tests of nodes are about it as well.
    have_somewhere valkey-server || ! is_offered valkey-server || printf ' valkey-server'
    have systemd-socket-activate || printf ' systemd'
    have_somewhere caddy || printf ' caddy'
}

install_packages() {
    if ! have apt-get; then
        fail "Please install what the tests drive; missing (by their Debian names):$1."
    fi
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        have sudo || fail "Please have somebody with the right to do so run: apt-get install$1"
        as_root=sudo
    fi
    # A server's package starts it, unless there is a policy against it. The tests start their own.
    policy=/usr/sbin/policy-rc.d
    written_policy=
    if [ ! -e "$policy" ]; then
        written_policy=$policy
        trap '$as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod +x "$policy"
    fi
    # Both are empty or lists of words on purpose.
    # shellcheck disable=SC2086
    {
        $as_root apt-get update -q
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $1
    }
    if [ -n "$written_policy" ]; then $as_root rm -f "$written_policy"; fi
    trap - EXIT
}

section "What the tests need"
have cargo || fail "Please install Rust first: https://rustup.rs"
for component in rustfmt clippy; do
    case $component in rustfmt) tool=fmt ;; *) tool=$component ;; esac
    if ! cargo "$tool" --version >/dev/null 2>&1; then
        have rustup || fail "Please install cargo $tool, which comes with Rust."
        rustup component add "$component"
    fi
done
missing=$(missing_packages)
if [ -n "$missing" ]; then
    echo "Installing$missing"
    install_packages "$missing"
    missing=$(missing_packages)
    [ -z "$missing" ] || fail "Installed, and yet not found:$missing."
fi
if ! have_axe; then
    npm install --no-audit --no-fund --prefix "$npm_folder" "axe-core@$AXE_VERSION"
    have_axe || fail "npm has not brought axe-core $AXE_VERSION."
fi
cargo --version
echo "Everything is there."

section "Format"
cargo fmt --check

section "Lints"
cargo clippy --locked --all-targets -- -D warnings
# A package of its own, so that what only it needs stays out of the program's dependencies.
cargo fmt --manifest-path benches/load/Cargo.toml --check
cargo clippy --locked --manifest-path benches/load/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}" \
    --all-targets -- -D warnings

section "Documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

section "Building the tests"
cargo test --locked --no-run

# These mostly wait: for leases and pauses to end, for elections, for a server to stop. They run beside everything else but
# these, in which a browser has to be in time.
waiting="cluster crash data mdns process proxies proxy_protocol replication service stopping"
browsing="browser other_browsers"
computing=
for file in tests/*.rs tests/*/main.rs; do
    name=${file#tests/}
    name=${name%/main.rs}
    name=${name%.rs}
    case " $waiting $browsing " in *" $name "*) ;; *) computing="$computing $name" ;; esac
done

# The options that name these tests: run_tests "a b" runs --test a --test b.
run_tests() {
    targets=
    for name in $1; do targets="$targets --test $name"; done
    shift
    # The names are a list of words on purpose.
    # shellcheck disable=SC2086
    cargo test --locked --no-fail-fast "$@" $targets
}

waiting_log=$(mktemp)
run_tests "$waiting" >"$waiting_log" 2>&1 &
waiting_process=$!
# Without `true` a process that has ended already would be the exit status of the whole.
trap 'kill "$waiting_process" 2>/dev/null || true; rm -f "$waiting_log"' EXIT
trap 'exit 1' INT TERM
failed=

section "Lints of features"
for features in "" sqlite accounts client client,tls cluster cluster,tls completions mdns tls; do
    cargo clippy --locked --no-default-features --features "$features" -- -D warnings || failed="$failed lints of '$features',"
done

section "Tests"
run_tests "$computing" --lib --bins || failed="$failed tests,"
cargo test --locked --doc || failed="$failed tests of the documentation,"
cargo test --locked --manifest-path benches/load/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}" ||
    failed="$failed tests of benches/load,"

section "Tests that mostly wait"
wait "$waiting_process" || failed="$failed tests that mostly wait,"
cat "$waiting_log"

section "Tests in browsers"
run_tests "$browsing" || failed="$failed tests in browsers,"
[ -z "$failed" ] || fail "Failed:${failed%,}."

section "All is well"
