//! What the tests of the real program share: starting it, and talking to it as browsers and terminals do.
//!
//! Nothing here waits for a guess of a time: every wait is for something to be true, and fails after
//! [`DEADLINE`] with what was seen instead.

// Each file of tests is a program of its own and uses only part of this.
#![allow(dead_code, unused_imports)]

pub mod http;
pub mod server;
pub mod terminal;
pub mod web_socket;

use std::time::{Duration, Instant};

pub use http::{HttpClient, Response};
pub use server::Server;
pub use terminal::Terminal;
pub use web_socket::WebSocketClient;

/// How long anything may take on a busy machine. Only a test that fails waits so long.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How long one blocking read lasts before the deadline is looked at.
pub const READ_TIMEOUT: Duration = Duration::from_millis(50);

/// The letters of room codes.
pub const CODE_LETTERS: &str = "BCDFGHJKLMNPQRSTVWXYZ";

/// Asks again and again until there is an answer. `what` is waited for, in words for a failed test.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < DEADLINE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether this is a code of `length` letters as the program makes them.
pub fn is_code(code: &str, length: usize) -> bool {
    code.len() == length && code.chars().all(|letter| CODE_LETTERS.contains(letter))
}

/// The program's path if it can be found, else a failure that says what to install.
pub fn find_program(names: &[&str], package: &str) -> std::path::PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where distributions put servers and games, which is not on everybody's path.
    let others = ["/usr/sbin", "/usr/games"].map(std::path::PathBuf::from);
    let folders: Vec<_> = std::env::split_paths(&path).chain(others).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("{} is missing: install the package {package}", names[0]))
}
