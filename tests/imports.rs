//! Who may know whom: reads the sources, and keeps the table in ARCHITECTURE.md true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules of ours that the code in each place may name. Tests beside the code may name more.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("src/time.rs", &[]),
    ("src/meter.rs", &[]),
    ("src/tls.rs", &[]),
    ("src/options", &[]),
    ("src/proxy_protocol.rs", &[]),
    ("src/session_api.rs", &["rooms", "files", "proxy_protocol", "time"]),
    ("src/rooms", &["options", "time"]),
    ("src/json", &["rooms", "options", "meter"]),
    ("src/journal", &["journal", "rooms", "time", "meter"]),
    ("src/accounts", &["accounts", "rooms", "options", "time"]),
    ("src/files", &["files", "rooms", "options", "time"]),
    ("src/invitation.rs", &["rooms"]),
    ("src/interfaces.rs", &[]),
    ("src/mdns.rs", &["interfaces"]),
    ("src/greeting.rs", &["interfaces", "invitation", "options"]),
    ("src/http", &["http", "rooms", "json", "files", "session_api", "time", "options", "invitation", "meter"]),
    ("src/ws", &["ws", "rooms", "json", "session_api", "time", "options"]),
    ("src/client", &["client", "rooms", "json", "line", "options", "time"]),
    ("src/line", &["line", "rooms", "json", "session_api", "time", "options", "invitation"]),
];

/// Words that only one file may use: the system's sockets and clocks.
const SYSTEM: &[&str] = &["mio::", "std::net", "Instant", "SystemTime"];
const SYSTEM_IS_KNOWN_TO: &[&str] = &[
    "src/reactor/net/mod.rs",
    "src/reactor/net/mio.rs",
    "src/reactor/net/listeners.rs",
    "src/reactor/net/signals.rs",
    "src/reactor/net/stream.rs",
    "src/journal/sqlite/writer.rs",
    "src/journal/sqlite/account_requests.rs",
    "src/journal/redis/mod.rs",
    "src/journal/redis/managing.rs",
    "src/journal/redis/opening.rs",
    "src/journal/redis/order.rs",
    "src/journal/redis/following.rs",
    "src/subcommand/healthcheck.rs",
    "src/client/link.rs",
    "src/client/driver.rs",
];

/// Folders whose modules, with all that is below each, form no circle of modules that name each other. What
/// is in a folder's own `mod.rs` is shared by its modules: naming that forms no circle among them.
const FOLDERS_WITHOUT_CIRCLES: &[&str] = &[
    "src",
    "src/client",
    "src/files",
    "src/http",
    "src/options",
    "src/reactor",
    "src/reactor/net",
    "src/rooms",
    "src/journal/cluster",
    "src/journal/redis",
    "src/journal/sqlite",
    "src/line",
];

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

/// The modules of a folder: each one's name, with its sources.
fn modules_of(folder: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut modules = BTreeMap::<String, Vec<PathBuf>>::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("names of modules are ASCII").to_owned();
        if !matches!(name.as_str(), "mod" | "lib" | "main" | "tests") {
            sources(&path, modules.entry(name).or_default());
        }
    }
    modules
}

/// The path of the module in this file: `["http", "request"]`.
fn module_path(file: &Path) -> Vec<String> {
    let below = file.with_extension("");
    let names = below.iter().skip(1).map(|name| name.to_str().expect("names of modules are ASCII").to_owned());
    names.filter(|name| !matches!(name.as_str(), "mod" | "lib" | "main")).collect()
}

/// Every path that begins with `crate::` or `super::` in this source, as if it were written with `crate::`, without
/// `crate`. Of a path that ends in a list, one for each item.
fn named_paths(file: &Path) -> Vec<Vec<String>> {
    let text: String = code(file).into_iter().map(|(_, line)| line + "\n").collect();
    let is_of_name = |character: char| character.is_alphanumeric() || character == '_';
    let mut paths = Vec::new();
    for (start, _) in text.match_indices("crate::").chain(text.match_indices("super::")) {
        if text[..start].ends_with(is_of_name) || text[..start].ends_with("::") {
            continue;
        }
        let mut base = module_path(file);
        let mut rest = &text[start..];
        while let Some((name, after)) = rest.split_once("::").filter(|(name, _)| name.chars().all(is_of_name)) {
            match name {
                "crate" => base.clear(),
                "super" => base.truncate(base.len().saturating_sub(1)),
                _ => base.push(name.to_owned()),
            }
            rest = after;
        }
        let items = match rest.strip_prefix('{') {
            Some(list) => list.split_once('}').expect("a list has an end").0,
            None => rest,
        };
        let is_list = rest.starts_with('{');
        for item in items.split(',').take(if is_list { usize::MAX } else { 1 }) {
            let name: String = item.trim_start().chars().take_while(|&character| is_of_name(character)).collect();
            paths.push(base.iter().cloned().chain([name]).collect());
        }
    }
    paths
}

/// Which modules of a folder each of them names.
fn known_siblings(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let modules = modules_of(folder);
    let parent = module_path(folder);
    let siblings_in = |file: &PathBuf| {
        let below = named_paths(file).into_iter().filter_map(|path| path.strip_prefix(&*parent)?.first().cloned());
        below.filter(|name| modules.contains_key(name)).collect::<Vec<_>>()
    };
    let known = modules.iter().map(|(name, files)| {
        let siblings = files.iter().flat_map(siblings_in).filter(|sibling| sibling != name).collect();
        (name.clone(), siblings)
    });
    known.collect()
}

/// Modules that know each other in a circle: what is left when those that know no other, and those that no
/// other knows, are taken away, again and again.
fn circle(mut known: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let is_named = |name: &String| known.values().any(|siblings| siblings.contains(name));
        let outside = known.iter().find(|(name, siblings)| siblings.is_empty() || !is_named(name));
        let Some((outside, _)) = outside else { return known };
        let outside = outside.clone();
        known.remove(&outside);
        for siblings in known.values_mut() {
            siblings.remove(&outside);
        }
    }
}

#[test]
fn modules_form_no_circle() {
    for folder in FOLDERS_WITHOUT_CIRCLES {
        let known = known_siblings(Path::new(folder));
        assert!(known.values().any(|siblings| !siblings.is_empty()), "{folder}: some modules name others: {known:?}");
        let circle = circle(known);
        assert!(circle.is_empty(), "{folder}: these modules know each other in a circle: {circle:?}");
    }
}

#[test]
fn a_circle_is_found() {
    let known = |pairs: &[(&str, &[&str])]| -> BTreeMap<String, BTreeSet<String>> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        pairs.iter().map(|&(name, siblings)| (name.to_owned(), owned(siblings))).collect()
    };
    assert!(circle(known(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])).is_empty());
    let found = circle(known(&[("a", &["b"]), ("b", &["c", "d"]), ("c", &["b"]), ("d", &[])]));
    assert_eq!(found, known(&[("b", &["c"]), ("c", &["b"])]));
}
