//! The configuration file: TOML (toml.io) with the options' own names, and on which line each value stands. What the
//! values mean is not known here.

use core::ops::Range;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::fault::Fault;

/// Nobody writes so many options by hand: this is another file.
const MAX_BYTES: u64 = 1 << 20;

/// What a file says of one option.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The option's name, as it stands there.
    pub name: String,
    /// The line of the name, counted from 1.
    pub line: usize,
    /// Whether it stands in brackets.
    pub is_list: bool,
    /// Each value, in the words in which an option is given, and its line.
    pub values: Vec<(String, usize)>,
}

/// Reads the file. What is wrong is among the faults; the entries are the others.
pub(super) fn read(path: &Path, faults: &mut Vec<Fault>) -> Vec<Entry> {
    let mut bytes = Vec::new();
    let result = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    match (result, std::str::from_utf8(&bytes)) {
        (Err(error), _) => faults.push(unreadable(path, &error)),
        (Ok(_), _) if bytes.len() as u64 > MAX_BYTES => {
            faults.push(Fault::of_line(path, 0, "this is too large for a configuration file, which has at most 1M"));
        }
        (Ok(_), Err(error)) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            faults.push(Fault::of_line(path, line, "this is no text in UTF-8"));
        }
        (Ok(_), Ok(text)) => return parse(path, text, faults),
    }
    Vec::new()
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    let path = path.display();
    let sentence =
        format!("The configuration file {path} cannot be read ({error}); name one with --config that can be.");
    Fault::new(&["config"], sentence)
}

fn parse(path: &Path, text: &str, faults: &mut Vec<Fault>) -> Vec<Entry> {
    let line_at = |offset: usize| text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut broken: Vec<usize> = Vec::new();
    for error in errors {
        let line = line_at(error.span().map_or(0, |span| span.start.min(text.len())));
        // One fault a line: the others follow from it.
        if !broken.contains(&line) {
            broken.push(line);
            let why = error.message().replace('\n', ", ");
            faults.push(Fault::of_line(path, line, &format!("this is no TOML ({why})")));
        }
    }
    let mut entries: Vec<Entry> = Vec::new();
    for (key, value) in table.into_inner() {
        let (name, line) = (key.get_ref().to_string(), line_at(key.span().start));
        if broken.contains(&line) {
            continue;
        }
        let mut values = Vec::new();
        let is_list = matches!(value.get_ref(), DeValue::Array(_));
        let items = match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| (item.get_ref(), item.span())).collect(),
            one => vec![(one, value.span())],
        };
        let words = |(item, span): (&DeValue<'_>, Range<usize>)| {
            Some((written(item, &text[span.clone()])?, line_at(span.start)))
        };
        if items.into_iter().all(|item| words(item).map(|value| values.push(value)).is_some()) {
            entries.push(Entry { name, line, is_list, values });
        } else {
            let sentence = format!("{name:?} is a section; options stand by themselves, before any section");
            faults.push(Fault::of_line(path, line, &sentence));
        }
    }
    entries.sort_by_key(|entry| entry.line);
    entries
}

/// A value in the words in which an option is given; `None`: it is none.
fn written(value: &DeValue<'_>, source: &str) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(true) => Some("on".to_owned()),
        DeValue::Boolean(false) => Some("off".to_owned()),
        DeValue::Float(_) | DeValue::Datetime(_) => Some(source.to_owned()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Vec<Entry>, Vec<String>) {
        let mut faults = Vec::new();
        let entries = parse(Path::new("f.toml"), text, &mut faults);
        (entries, faults.into_iter().map(|fault| fault.sentence).collect())
    }

    fn entry(name: &str, line: usize, is_list: bool, values: &[(&str, usize)]) -> Entry {
        let values = values.iter().map(|(value, line)| ((*value).to_owned(), *line)).collect();
        Entry { name: name.to_owned(), line, is_list, values }
    }

    #[test]
    fn every_kind_of_value_has_words_and_a_line() {
        let text = "\u{feff}# where\r\nlisten = ':80'\r\n\r\nrate = 1_000\nquiet = true\nfiles = false\nhistory = 1.5\n\
                    admin = [\n  \"ana\", # the first\n  \"ben\",\n]\n\"allowed-host\" = []\n";
        let (entries, faults) = parsed(text);
        assert_eq!(faults, [""; 0]);
        assert_eq!(
            entries,
            [
                entry("listen", 2, false, &[(":80", 2)]),
                entry("rate", 4, false, &[("1000", 4)]),
                entry("quiet", 5, false, &[("on", 5)]),
                entry("files", 6, false, &[("off", 6)]),
                entry("history", 7, false, &[("1.5", 7)]),
                entry("admin", 8, true, &[("ana", 9), ("ben", 10)]),
                entry("allowed-host", 12, true, &[]),
            ]
        );
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line_and_the_rest_is_read() {
        let (entries, faults) = parsed("rate = 5\ngrace = 15s\nlisten = \":80\nhistory = 7\nrate = 6\n");
        assert_eq!(entries, [entry("rate", 1, false, &[("5", 1)]), entry("history", 4, false, &[("7", 4)])]);
        let lines: Vec<&str> = faults.iter().map(|sentence| &sentence[..15]).collect();
        assert_eq!(lines, ["f.toml, line 2:", "f.toml, line 3:", "f.toml, line 5:"], "{faults:?}");
        for sentence in faults {
            assert!(!sentence.contains('\n'), "{sentence:?}");
        }
    }

    #[test]
    fn a_section_is_refused_with_its_line() {
        let (entries, faults) = parsed("rate = 5\n[limits]\ngrace = \"1s\"\n\n[[people]]\nname = 1\n");
        assert_eq!(entries, [entry("rate", 1, false, &[("5", 1)])]);
        assert_eq!(
            faults,
            [
                "f.toml, line 2: \"limits\" is a section; options stand by themselves, before any section.",
                "f.toml, line 5: \"people\" is a section; options stand by themselves, before any section."
            ]
        );
    }
}
