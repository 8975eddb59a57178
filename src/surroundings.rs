//! What the program was started by and in: somebody at a terminal, a service manager, a container.

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::path::Path;

use crate::greeting::{Colours, Screen};
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

/// Whether this is a container of Docker's or Podman's.
pub fn is_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists())
}

/// The terminal that standard output is, if it is one.
pub fn screen() -> Option<Screen> {
    let size = terminal_size::terminal_size_of(stdout());
    let (columns, rows) = size.map_or((0, 0), |(width, height)| (width.0.into(), height.0.into()));
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    stdout().is_terminal().then(|| screen_of(columns, rows, cfg!(windows), variable))
}

/// What a terminal of this size shows, by the variables that tell of it.
fn screen_of(columns: usize, rows: usize, is_windows: bool, variable: impl Fn(&str) -> Option<String>) -> Screen {
    let term = variable("TERM").unwrap_or_default();
    // Windows has none of the variables, and one terminal that does all of this.
    let is_modern_windows = is_windows && variable("WT_SESSION").is_some();
    // The locale, as POSIX has it: the first of these that is set counts.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(&variable).unwrap_or_default();
    let is_utf8 = ["UTF-8", "UTF8"].iter().any(|name| locale.to_uppercase().ends_with(name));
    let is_dumb = matches!(term.as_str(), "" | "dumb" | "unknown");
    // Those that have colours have them all for many years now, but for real ones of glass and what imitates them.
    let is_colourless = term.starts_with("vt") || term.ends_with("-mono") || term.ends_with("-m");
    let has_few = matches!(term.as_str(), "linux" | "xterm" | "ansi" | "rxvt" | "screen" | "cygwin");
    let colours = match is_modern_windows {
        // See no-color.org.
        _ if variable("NO_COLOR").is_some() => Colours::None,
        true => Colours::Indexed,
        false if is_dumb || is_colourless => Colours::None,
        false if has_few && variable("COLORTERM").is_none() => Colours::Named,
        false => Colours::Indexed,
    };
    Screen { columns, rows, has_blocks: is_modern_windows || (is_utf8 && !is_dumb), colours }
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

    fn screen(variables: &[(&str, &str)]) -> Screen {
        let found =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        screen_of(80, 24, false, found)
    }

    #[test]
    fn half_blocks_are_for_terminals_of_unicode() {
        let has_blocks = |variables: &[(&str, &str)]| screen(variables).has_blocks;
        assert!(has_blocks(&[("TERM", "xterm-256color"), ("LANG", "en_GB.UTF-8")]));
        assert!(has_blocks(&[("TERM", "xterm"), ("LC_ALL", "de_DE.utf8"), ("LANG", "C")]));
        assert!(!has_blocks(&[("TERM", "dumb"), ("LANG", "en_GB.UTF-8")]));
        assert!(!has_blocks(&[("LANG", "en_GB.UTF-8")]));
        assert!(!has_blocks(&[("TERM", "xterm"), ("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]));
        assert!(!has_blocks(&[("TERM", "xterm"), ("LANG", "de_DE.ISO-8859-1")]));
        assert!(!has_blocks(&[("TERM", "xterm")]));
    }

    #[test]
    fn colours_are_those_that_the_terminal_has() {
        let colours = |variables: &[(&str, &str)]| screen(variables).colours;
        assert_eq!(colours(&[("TERM", "xterm-256color")]), Colours::Indexed);
        assert_eq!(colours(&[("TERM", "alacritty")]), Colours::Indexed);
        assert_eq!(colours(&[("TERM", "xterm"), ("COLORTERM", "truecolor")]), Colours::Indexed);
        assert_eq!(colours(&[("TERM", "linux")]), Colours::Named);
        assert_eq!(colours(&[("TERM", "vt220")]), Colours::None);
        assert_eq!(colours(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]), Colours::None);
    }

    #[test]
    fn the_terminal_of_windows_needs_no_variables_of_unix() {
        let variable = |name: &str| (name == "WT_SESSION").then(|| "a number".to_owned());
        let screen = screen_of(120, 30, true, variable);
        assert_eq!((screen.has_blocks, screen.colours), (true, Colours::Indexed));
    }
}
