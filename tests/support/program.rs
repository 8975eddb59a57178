//! Other programs, run to their end.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::eventually;

/// The program's path if it can be found, else a failure that says what to install.
pub fn find_program(names: &[&str], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where distributions put servers and games, which is not on everybody's path.
    let others = ["/usr/sbin", "/usr/games"].map(PathBuf::from);
    let folders: Vec<_> = std::env::split_paths(&path).chain(others).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("{} is missing: install the package {package}", names[0]))
}

/// Runs a program with this input, and waits until it ends in good order; returns what it wrote.
pub fn run_to_end(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let mut stdout = child.stdout.take().expect("it is piped");
    let reader = std::thread::spawn(move || {
        let mut output = String::new();
        stdout.read_to_string(&mut output).expect("UTF-8");
        output
    });
    // It may have ended before it has read everything, which its status tells.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let status = eventually("the program ends", || child.try_wait().expect("a child can be waited for"));
    let output = reader.join().expect("the reader does not panic");
    assert!(status.success(), "{command:?} ended with {status}: {output}");
    output
}
