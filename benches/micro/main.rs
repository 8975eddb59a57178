//! What single steps cost, without any kernel: each beside a copy of the same bytes, so that one reads a ratio
//! and not the speed of a machine.
//!
//! `cargo bench --bench micro` runs all of them, `cargo bench --bench micro -- turn::web` some. How to read and
//! to count is told in `benches/README.md`. What a whole server costs is measured by `benches/load`.

mod cluster;
mod codec;
mod encoding;
mod joining;
mod log;
mod memory_net;
mod names;
mod pages;
mod setting;
mod turn;
mod typing;

fn main() {
    divan::main();
}
