//! The log: one line a record on standard error, as text for people or as JSON for machines.
//!
//! Only this program's own records are written. What the libraries say at their lowest levels can hold
//! what members typed, and that goes into no log.

use std::io::Write;

use jiff::Timestamp;
use log::{LevelFilter, Log, Metadata, Record, SetLoggerError};
use serde::Serialize;

use crate::options::LogFormat;

/// What the names of all our modules begin with.
const CRATE: &str = "snugd";

/// Sends the records of the `log` crate to standard error from now on.
///
/// # Errors
///
/// If another log was installed before.
pub fn install(format: LogFormat, level: LevelFilter) -> Result<(), SetLoggerError> {
    log::set_boxed_logger(Box::new(StderrLog { format }))?;
    log::set_max_level(level);
    Ok(())
}

struct StderrLog {
    format: LogFormat,
}

impl Log for StderrLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        module_of(metadata.target()).is_some()
    }

    fn log(&self, record: &Record<'_>) {
        let Some(module) = module_of(record.target()) else {
            return;
        };
        let line = line(self.format, Timestamp::now(), module, record);
        // One write a line, so that lines of two threads do not mix; and nobody is left to tell if it fails.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

/// The module's name without the crate's, or `None` if it is not ours.
fn module_of(target: &str) -> Option<&str> {
    match target.strip_prefix(CRATE)? {
        "" => Some(CRATE),
        rest => rest.strip_prefix("::"),
    }
}

/// A record in JSON; the fields come out in this order.
#[derive(Serialize)]
struct JsonLine<'a> {
    time: &'a str,
    level: &'a str,
    module: &'a str,
    message: &'a str,
}

/// The record as a line that ends in LF.
fn line(format: LogFormat, time: Timestamp, module: &str, record: &Record<'_>) -> String {
    let time = format!("{time:.3}");
    let message = record.args().to_string();
    match format {
        LogFormat::Text => {
            let message = escape_controls(&message);
            format!("{time} {} {module}: {message}\n", record.level())
        }
        LogFormat::Json => {
            let fields =
                JsonLine { time: &time, level: &record.level().as_str().to_lowercase(), module, message: &message };
            // Four strings always have a JSON form; an empty line would be the worst that could happen.
            serde_json::to_string(&fields).unwrap_or_default() + "\n"
        }
    }
}

/// Writes control characters visibly, so that nothing can forge a line or move a reader's cursor.
fn escape_controls(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => escaped.extend(character.escape_default()),
            false => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use log::Level;

    use super::*;

    fn written(format: LogFormat, message: &str) -> String {
        let time = "2026-11-20T13:58:00.123456Z".parse().expect("a time");
        let args = format_args!("{message}");
        let record = Record::builder().level(Level::Info).args(args).build();
        line(format, time, "reactor", &record)
    }

    #[test]
    fn text_is_a_line_for_people() {
        assert_eq!(
            written(LogFormat::Text, "listening, on löopback"),
            "2026-11-20T13:58:00.123Z INFO reactor: listening, on löopback\n"
        );
    }

    #[test]
    fn json_is_an_object_a_line() {
        assert_eq!(
            written(LogFormat::Json, "say \"hi\"\n"),
            "{\"time\":\"2026-11-20T13:58:00.123Z\",\"level\":\"info\",\"module\":\"reactor\",\
             \"message\":\"say \\\"hi\\\"\\n\"}\n"
        );
    }

    #[test]
    fn a_record_cannot_forge_another_one() {
        assert_eq!(
            written(LogFormat::Text, "a\nb\u{1b}[2J\u{9b}"),
            "2026-11-20T13:58:00.123Z INFO reactor: a\\nb\\u{1b}[2J\\u{9b}\n"
        );
    }

    #[test]
    fn a_whole_second_keeps_its_milliseconds() {
        let record = Record::builder().args(format_args!("x")).build();
        let line = line(LogFormat::Text, Timestamp::UNIX_EPOCH, "main", &record);
        assert_eq!(line, "1970-01-01T00:00:00.000Z INFO main: x\n");
    }

    #[test]
    fn only_our_own_modules_are_logged() {
        assert_eq!(module_of("snugd"), Some("snugd"));
        assert_eq!(module_of("snugd::reactor::slab"), Some("reactor::slab"));
        assert_eq!(module_of("snugdish"), None);
        assert_eq!(module_of("tungstenite::protocol"), None);
    }
}
