//! What is made ready when the program is built, so that nothing is left to do when it starts.

mod assets;
mod look_alikes;

use std::path::PathBuf;
use std::{env, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=assets");
    println!("cargo::rerun-if-changed=build");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    assets::embed(&root.join("assets"), &out)?;
    look_alikes::tabulate(&out)
}
