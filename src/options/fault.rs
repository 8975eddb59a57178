//! Something that is wrong with the options, in a sentence.

use std::path::Path;

/// Something that is wrong with the options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong and what is wanted.
    pub sentence: String,
    /// The options that it is about.
    pub options: Vec<String>,
    /// Which of several is told first: what stands on the command line (0), then what is in the environment (1), then
    /// what is in the configuration file, line by line.
    pub order: usize,
}

impl Fault {
    /// The sentence ends with its full stop.
    pub fn new(options: &[&str], sentence: impl Into<String>) -> Fault {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Fault { sentence: sentence.into(), options, order: 1 }
    }

    /// A line of a file; 0: all of it.
    pub fn of_line(path: &Path, line: usize, what: &str) -> Fault {
        let place = if line == 0 { String::new() } else { format!(", line {line}") };
        Fault { order: 2 + line, ..Fault::new(&[], format!("{}{place}: {what}.", path.display())) }
    }

    /// The sentence, and where those of its options are set that somebody has set elsewhere than on the command line.
    pub fn with_places(self, place_of: impl Fn(&str) -> Option<String>) -> String {
        let places = self.options.iter().filter_map(|option| Some(format!("{option}: {}", place_of(option)?)));
        match places.collect::<Vec<_>>().join("; ") {
            places if places.is_empty() => self.sentence,
            places => format!("{} ({places}).", self.sentence.trim_end_matches('.')),
        }
    }
}
