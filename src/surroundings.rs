//! What the program was started by: somebody at a terminal, or a service manager.

use std::io::{IsTerminal, stderr, stdin, stdout};

use crate::reactor::HangUp;

/// What SIGHUP means to a program that was started like this one.
pub fn hang_up() -> HangUp {
    let status = std::fs::read_to_string("/proc/self/status").ok();
    match status.as_deref().and_then(is_hang_up_ignored) {
        Some(true) => HangUp::Ignore,
        _ if is_on_terminal() => HangUp::Stop,
        _ => HangUp::Reload,
    }
}

/// Whether it was started by systemd as a service: not merely by somebody in a session that systemd has started, to
/// whom these variables come down as well.
pub fn is_service() -> bool {
    let is_set = |name| std::env::var_os(name).is_some();
    (is_set("INVOCATION_ID") || is_set("NOTIFY_SOCKET")) && !is_on_terminal()
}

/// Whether standard error is systemd's journal, and not merely that of somebody whom it has started, who has redirected
/// it since (systemd.exec(5), `JOURNAL_STREAM`).
pub fn logs_to_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").ok();
    stream.is_some_and(|stream| stderr_file().is_some_and(|file| stream == file))
}

/// The device and the number of what standard error leads to.
#[cfg(unix)]
fn stderr_file() -> Option<String> {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::File::from(stderr().as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok()?;
    Some(format!("{}:{}", metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn stderr_file() -> Option<String> {
    None
}

fn is_on_terminal() -> bool {
    // Where it cannot be seen whether SIGHUP is ignored, standard input does not count: some `nohup` leave it as it is.
    stdout().is_terminal() || stderr().is_terminal() || (cfg!(target_os = "linux") && stdin().is_terminal())
}

/// Reads it from Linux's account of a process (proc_pid_status(5)).
fn is_hang_up_ignored(status: &str) -> Option<bool> {
    /// Signal 1 is the lowest bit.
    const SIGHUP_BIT: u64 = 1;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok().map(|mask| mask & SIGHUP_BIT != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_is_found_in_the_account_of_a_process() {
        let status = |mask: &str| format!("Name:\tsnugd\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t00ff\n");
        assert_eq!(is_hang_up_ignored(&status("0000000000000001")), Some(true));
        assert_eq!(is_hang_up_ignored(&status("0000000000001003")), Some(true));
        assert_eq!(is_hang_up_ignored(&status("0000000000001000")), Some(false));
        assert_eq!(is_hang_up_ignored(&status("none")), None);
        assert_eq!(is_hang_up_ignored("Name:\tsnugd\n"), None);
    }
}
