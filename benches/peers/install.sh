#!/bin/sh
# Gets and builds the peers into benches/peers/installed/: `sh benches/peers/install.sh [uws bun tokio flask socketio]`.
# uWebSockets over TLS needs OpenSSL's headers: apt install libssl-dev
# ngircd, nginx and wrk come from the distribution: apt install ngircd nginx-light wrk redis-server
set -eu

peers=$(cd "$(dirname "$0")" && pwd)
installed=$peers/installed
mkdir -p "$installed"

# uWebSockets in C++; a crate of its bindings carries the sources of it and of uSockets.
uws() {
    work=$(mktemp -d)
    cp -r "$peers/uws/." "$work"
    (cd "$work" && mkdir -p src && : >src/lib.rs && cargo vendor --quiet vendor >/dev/null)
    sources=$work/vendor/libuwebsockets-sys/uWebSockets
    usockets=$sources/uSockets/src
    (cd "$work" && cc -O3 -DLIBUS_NO_SSL -I"$usockets" -c "$usockets"/*.c "$usockets"/eventing/*.c)
    c++ -std=c++20 -O3 -w -DLIBUS_NO_SSL -DUWS_NO_ZLIB -I"$usockets" -I"$sources/src" \
        "$peers/uws/uws.cpp" "$work"/*.o -o "$installed/uws"
    # The same over TLS.
    rm "$work"/*.o
    (cd "$work" && cc -O3 -w -DLIBUS_USE_OPENSSL -I"$usockets" -c "$usockets"/*.c "$usockets"/eventing/*.c \
        "$usockets"/crypto/*.c && c++ -std=c++20 -O3 -w -DLIBUS_USE_OPENSSL -I"$usockets" -c "$usockets"/crypto/*.cpp)
    c++ -std=c++20 -O3 -w -DLIBUS_USE_OPENSSL -DUWS_NO_ZLIB -DWITH_TLS -I"$usockets" -I"$sources/src" \
        "$peers/uws/uws.cpp" "$work"/*.o -lssl -lcrypto -o "$installed/uws-tls"
    rm -r "$work"
}

bun() {
    mkdir -p "$installed/bun"
    (cd "$installed/bun" && npm install --no-fund --no-audit --silent bun && node node_modules/bun/install.js 2>/dev/null)
    "$installed/bun/node_modules/bun/bin/bun.exe" --version >/dev/null
}

tokio() {
    CARGO_TARGET_DIR=$installed/tokio cargo build --quiet --release --manifest-path "$peers/tokio/Cargo.toml"
}

flask() {
    python3 -m venv "$installed/flask"
    "$installed/flask/bin/pip" install --quiet flask-socketio simple-websocket gevent gevent-websocket
}

# socket.io on Node.js, and both of its adapters for a Redis.
socketio() {
    mkdir -p "$installed/socketio"
    (cd "$installed/socketio" && npm install --no-fund --no-audit --silent \
        socket.io @socket.io/redis-adapter @socket.io/redis-streams-adapter redis)
}

for peer in ${*:-uws bun tokio flask socketio}; do
    case $peer in
    uws | bun | tokio | flask | socketio) ;;
    *) echo "$peer: not one of uws, bun, tokio, flask, socketio" >&2; exit 2 ;;
    esac
    echo "installing $peer"
    # In a shell of its own, and in no condition, so that one that fails stops itself there and then.
    set +e
    (set -e; "$peer")
    status=$?
    set -e
    [ $status -eq 0 ] || echo "$peer: not installed" >&2
done
