//! How the program ends once its loop is over: in time, even where the disk is not.

use std::io::{self, Write};
use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_shutdown;

/// What is still to be written has so long. Together with what the loop takes at most it is 10 s.
const WRITING: Duration = Duration::from_secs(5);

/// A signal so soon after the last is the same: `timeout` sends two.
const SAME_SIGNAL: Duration = Duration::from_millis(200);

/// Sees to it that the process ends: by itself once all is written, else after a while, or at once when it is asked to
/// once more, with this status.
pub fn leave_in_time(status: u8) {
    let leave = move || {
        thread::sleep(SAME_SIGNAL);
        for signal in [SIGINT, SIGTERM] {
            // Without it, it takes the time that it takes.
            let _ = register_conditional_shutdown(signal, status.into(), Arc::new(AtomicBool::new(true)));
        }
        thread::sleep(WRITING - SAME_SIGNAL);
        let sentence = "snugd: The disk has not taken everything in time; what nobody was told of may be lost.";
        let _ = writeln!(io::stderr(), "{sentence}");
        process::exit(status.into());
    };
    // Without a thread, it takes the time that it takes.
    let _ = thread::Builder::new().name("leaving".to_owned()).spawn(leave);
}
