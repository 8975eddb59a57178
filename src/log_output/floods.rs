//! What is to be said again and again is said once a minute, and how often it was meant.

use std::collections::HashMap;

use log::{Level, Record};

use super::entry::Entry;

/// What was said within this time is not said again.
const WINDOW_MS: i64 = 60_000;

/// Of what names no cause of its own, so many lines in that time are no flood.
const LINES_A_WINDOW: u32 = 10;

/// What makes two records the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// They say so: a record with a field `cause` may come in floods.
    Named(String),
    /// They are made at the same place of the sources.
    Place(&'static str, u32),
}

/// The cause by which a record is limited. What is logged on demand is not: somebody wants to see all of it.
pub fn cause_of(record: &Record<'_>, entry: &Entry) -> Option<Cause> {
    if record.level() > Level::Info {
        return None;
    }
    let place = || record.file_static().zip(record.line()).map(|(file, line)| Cause::Place(file, line));
    entry.field("cause").map(|cause| Cause::Named(cause.to_owned())).or_else(place)
}

/// What becomes of a record.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// It is written, behind what was held back before.
    Write(Vec<Entry>),
    /// It is held back, as others of its kind are.
    Hold,
    /// It is the first that is held back, and to be released after so many milliseconds.
    HoldUntil(Cause, u64),
}

/// What was said lately.
#[derive(Debug, Default)]
pub struct Floods {
    windows: HashMap<Cause, Window>,
}

#[derive(Debug)]
struct Window {
    began_ms: i64,
    lines: u32,
    held: Option<Held>,
}

/// The last record that was held back, and how many were.
#[derive(Debug)]
struct Held {
    last: Entry,
    count: u64,
}

impl Held {
    fn entry(self) -> Entry {
        let mut entry = self.last;
        entry.fields.push(("more".to_owned(), self.count.into()));
        entry.message += if self.count == 1 { " (1 more like it)" } else { " (so many more like it)" };
        entry
    }
}

impl Floods {
    /// Decides about a record.
    pub fn take(&mut self, cause: Cause, entry: Entry, now_ms: i64) -> Verdict {
        let most = if matches!(cause, Cause::Named(_)) { 1 } else { LINES_A_WINDOW };
        let window = self.windows.entry(cause.clone());
        let window = window.or_insert(Window { began_ms: now_ms, lines: 0, held: None });
        // A clock that was put back begins a new one.
        if !(0..WINDOW_MS).contains(&(now_ms - window.began_ms)) {
            let held = window.held.take().map(Held::entry);
            (window.began_ms, window.lines) = (now_ms, 1);
            return Verdict::Write(held.into_iter().chain([entry]).collect());
        }
        if window.lines < most {
            window.lines += 1;
            return Verdict::Write(vec![entry]);
        }
        match &mut window.held {
            Some(held) => {
                (held.last, held.count) = (entry, held.count + 1);
                Verdict::Hold
            }
            held => {
                *held = Some(Held { last: entry, count: 1 });
                Verdict::HoldUntil(cause, (window.began_ms + WINDOW_MS - now_ms) as u64)
            }
        }
    }

    /// What was held back for this cause, now that its time has come; what follows is held back for as long again.
    pub fn release(&mut self, cause: &Cause, now_ms: i64) -> Option<Entry> {
        let window = self.windows.get_mut(cause)?;
        let held = window.held.take()?;
        window.began_ms = now_ms;
        Some(held.entry())
    }

    /// What was held back for any cause.
    pub fn release_all(&mut self) -> Vec<Entry> {
        self.windows.values_mut().filter_map(|window| window.held.take()).map(Held::entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(message: &str) -> Entry {
        Entry { level: Level::Warn, module: "a".to_owned(), message: message.to_owned(), fields: Vec::new() }
    }

    fn messages(verdict: Verdict) -> Vec<String> {
        let Verdict::Write(entries) = verdict else { panic!("{verdict:?}") };
        entries.into_iter().map(|entry| entry.message).collect()
    }

    #[test]
    fn of_a_flood_one_line_is_written_and_later_how_many_there_were() {
        let mut floods = Floods::default();
        let full = || Cause::Named("full".to_owned());
        assert_eq!(messages(floods.take(full(), entry("1"), 1_000)), ["1"]);
        assert_eq!(floods.take(full(), entry("2"), 3_000), Verdict::HoldUntil(full(), 58_000));
        assert_eq!(floods.take(full(), entry("3"), 4_000), Verdict::Hold);
        assert_eq!(messages(floods.take(Cause::Named("other".to_owned()), entry("4"), 5_000)), ["4"]);
        let told = floods.release(&full(), 61_000).expect("it was held back");
        assert_eq!((told.message.as_str(), told.fields[0].1.as_u64()), ("3 (so many more like it)", Some(2)));
        assert_eq!(floods.release(&full(), 61_000), None);
        assert!(matches!(floods.take(full(), entry("5"), 62_000), Verdict::HoldUntil(..)), "it goes on");
        assert_eq!(messages(floods.take(full(), entry("6"), 121_000)), ["5 (1 more like it)", "6"]);
        assert!(floods.release_all().is_empty());
    }

    #[test]
    fn what_is_said_now_and_then_is_said() {
        let mut floods = Floods::default();
        let here = || Cause::Place("here.rs", 7);
        for _ in 0..LINES_A_WINDOW {
            assert_eq!(messages(floods.take(here(), entry("reloaded"), 1_000)), ["reloaded"]);
        }
        assert!(matches!(floods.take(here(), entry("reloaded"), 2_000), Verdict::HoldUntil(..)));
        assert_eq!(messages(floods.take(Cause::Place("here.rs", 8), entry("x"), 2_000)), ["x"]);
        assert_eq!(floods.release_all().len(), 1);
        assert_eq!(messages(floods.take(here(), entry("put back"), 500)), ["put back"], "the clock was put back");
    }

    #[test]
    fn what_somebody_wants_to_see_all_of_is_not_limited() {
        let record = |level| {
            let mut record = Record::builder();
            record.level(level).target("snugd").file_static(Some("a.rs")).line(Some(1));
            record.build()
        };
        assert_eq!(cause_of(&record(Level::Debug), &entry("x")), None);
        assert_eq!(cause_of(&record(Level::Info), &entry("x")), Some(Cause::Place("a.rs", 1)));
        let named = Entry { fields: vec![("cause".to_owned(), "full".into())], ..entry("x") };
        assert_eq!(cause_of(&record(Level::Warn), &named), Some(Cause::Named("full".to_owned())));
    }
}
