//! Who may know whom: reads the sources, and keeps the table in ARCHITECTURE.md true.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules of ours that the code in each place may name. Tests beside the code may name more.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("src/options", &["options", "rooms"]),
    ("src/adapter.rs", &["rooms"]),
    ("src/rooms", &["rooms", "options", "adapter"]),
    ("src/json", &["rooms", "options"]),
    ("src/journal", &["journal", "rooms", "options"]),
    ("src/invitation.rs", &["rooms"]),
    ("src/http", &["http", "rooms", "json", "adapter", "options", "invitation"]),
    ("src/ws", &["ws", "rooms", "json", "adapter", "options"]),
    ("src/line", &["line", "rooms", "json", "adapter", "options", "invitation"]),
];

/// Words that only one file may use: the system's sockets and clocks.
const SYSTEM: &[&str] = &["mio::", "std::net", "Instant", "SystemTime"];
const SYSTEM_IS_KNOWN_TO: &[&str] = &["src/reactor/net.rs", "src/log_output.rs", "src/journal/sqlite/writer.rs"];

fn sources(place: &Path, found: &mut Vec<PathBuf>) {
    if place.is_file() {
        found.push(place.to_owned());
        return;
    }
    for entry in fs::read_dir(place).expect("a folder of sources") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
            sources(&path, found);
        }
    }
}

/// The lines of a source that are neither comments nor tests.
fn code(path: &Path) -> Vec<(usize, String)> {
    if path.file_stem().is_some_and(|stem| stem == "tests") || path.components().any(|part| part.as_os_str() == "tests")
    {
        return Vec::new();
    }
    let text = fs::read_to_string(path).expect("a readable source");
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim().to_owned()));
    lines.take_while(|(_, line)| line != "mod tests {").filter(|(_, line)| !line.starts_with("//")).collect()
}

#[test]
fn every_part_knows_only_what_it_may() {
    let modules: Vec<String> = fs::read_to_string("src/lib.rs")
        .expect("the library's front page")
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned))
        .collect();
    assert!(modules.len() > 8, "the modules are found: {modules:?}");
    for (place, known) in MAY_KNOW {
        let mut found = Vec::new();
        sources(Path::new(place), &mut found);
        assert!(!found.is_empty(), "{place} has sources");
        for path in found {
            for (number, line) in code(&path) {
                assert!(!line.starts_with("use crate::{"), "{}:{number}: one line a module: {line}", path.display());
                for module in modules.iter().filter(|module| !known.contains(&module.as_str())) {
                    let named = format!("crate::{module}");
                    let is_named = line.match_indices(&named).any(|(start, _)| {
                        let next = line[start + named.len()..].chars().next();
                        next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
                    });
                    assert!(!is_named, "{}:{number} names {module}: {line}", path.display());
                }
            }
        }
    }
}

#[test]
fn sockets_and_clocks_stand_in_one_place() {
    let mut found = Vec::new();
    sources(Path::new("src"), &mut found);
    for path in found.iter().filter(|path| SYSTEM_IS_KNOWN_TO.iter().all(|known| !path.ends_with(known))) {
        for (number, line) in code(path) {
            for word in SYSTEM {
                assert!(!line.contains(word), "{}:{number} names {word}: {line}", path.display());
            }
        }
    }
}
