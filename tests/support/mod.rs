//! What the tests of the real program share: starting it, and talking to it as browsers and terminals do.
//!
//! Nothing here waits for a guess of a time: every wait is for something to be true, and fails after
//! [`DEADLINE`] with what was seen instead.

// Each file of tests is a program of its own and uses only part of this.
#![allow(dead_code, unused_imports)]

pub mod http;
pub mod program;
pub mod server;
pub mod terminal;
pub mod web_socket;

use std::time::{Duration, Instant};

pub use http::{HttpClient, Response};
pub use program::find_program;
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
