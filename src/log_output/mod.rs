//! The log: one event a line on standard error, as text for people, as logfmt, or as JSON.
//!
//! Only this program's own records are written. What the libraries say at their lowest levels can hold
//! what members typed, and that goes into no log. `entry` says how a line is written, `floods` what happens when the
//! same is to be said again and again.

mod entry;
mod floods;

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use log::{LevelFilter, Log, Metadata, Record, SetLoggerError};

use crate::options::LogFormat;
pub use entry::Style;
use entry::{Entry, module_of};
use floods::{Floods, Verdict};

/// Sends the records of the `log` crate to standard error from now on. `is_journal`: that is systemd's journal, which
/// notes times and priorities itself.
///
/// # Errors
///
/// If another log was installed before.
pub fn install(format: LogFormat, level: LevelFilter, is_journal: bool) -> Result<(), SetLoggerError> {
    let output = Output { style: Style { format, is_journal }, floods: Mutex::default() };
    log::set_boxed_logger(Box::new(StderrLog(Arc::new(output))))?;
    log::set_max_level(level);
    Ok(())
}

struct StderrLog(Arc<Output>);

struct Output {
    style: Style,
    floods: Mutex<Floods>,
}

impl Output {
    fn floods(&self) -> std::sync::MutexGuard<'_, Floods> {
        self.floods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, entry: &Entry) {
        let line = entry.line(self.style, Timestamp::now());
        // One write a line, so that lines of two threads do not mix; and nobody is left to tell if it fails.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

impl Log for StderrLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        module_of(metadata.target()).is_some()
    }

    fn log(&self, record: &Record<'_>) {
        let Some(entry) = Entry::of(record) else { return };
        let output = &self.0;
        let now_ms = Timestamp::now().as_millisecond();
        let Some(cause) = floods::cause_of(record, &entry) else { return output.write(&entry) };
        let verdict = output.floods().take(cause, entry, now_ms);
        match verdict {
            Verdict::Write(entries) => entries.iter().for_each(|entry| output.write(entry)),
            Verdict::Hold => (),
            Verdict::HoldUntil(cause, pause_ms) => {
                let output = Arc::clone(output);
                // Without the thread it is told with the next one of its kind, or at the end.
                let _ = thread::Builder::new().name("log".to_owned()).spawn(move || {
                    thread::sleep(Duration::from_millis(pause_ms));
                    let held = output.floods().release(&cause, Timestamp::now().as_millisecond());
                    held.iter().for_each(|entry| output.write(entry));
                });
            }
        }
    }

    /// Writes what is held back.
    fn flush(&self) {
        let held = self.0.floods().release_all();
        held.iter().for_each(|entry| self.0.write(entry));
    }
}
